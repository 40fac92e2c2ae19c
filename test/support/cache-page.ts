import { onTestFinished } from 'vitest';
import { type Source, sourceOf } from '../../src/core/outcome.ts';
import type { HoldfastFetch, PipelineOptions } from '../../src/core/pipeline.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { cachePolicy, type StaleCache } from '../../src/policies/cache/cache.ts';
import type { StaleCacheOptions } from '../../src/policies/cache/options.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { durableStore, type FaultyStore } from './durable.ts';
import { quiet } from './platform.ts';
import { ORIGIN, type Scenario, scenario } from './scenario.ts';

export const URL_ = `${ORIGIN}/orders`;

export interface CachePage extends Scenario {
  readonly cache: StaleCache;
  readonly store: FaultyStore;
  /** Status, source and text of a read, after which everything has been kept. */
  read(url?: string, init?: Parameters<HoldfastFetch>[1]): Promise<[number, Source, string]>;
}

/** A tab with a cache, in virtual time. Tabs that are given one store are of one browser. */
export function cachePage(
  { store = durableStore(), ...options }: StaleCacheOptions = {},
  pipeline: PipelineOptions = {},
): CachePage {
  const cache = cachePolicy({ store, ...options }, memoryStore);
  const scene = scenario([cache, totalTimeout(), breaker({ failures: 50 }), attemptTimeout()], {
    partition: 'ann',
    ...pipeline,
  });
  // So that it receives no messages of the next test.
  onTestFinished(() => scene.fetch.close());
  return {
    ...scene,
    cache,
    store: store as FaultyStore,
    async read(url = URL_, init) {
      const response = await scene.fetch(url, init);
      const text = await response.text();
      // Responses are stored in the background.
      await scene.clock.busy(quiet());
      await scene.clock.advance(0);
      return [response.status, sourceOf(response), text];
    },
  };
}

/** A response, fresh for so many seconds. */
export const fresh = (body: string, seconds = 60, headers: Record<string, string> = {}): Response =>
  new Response(body, { headers: { 'cache-control': `max-age=${seconds}`, ...headers } });
