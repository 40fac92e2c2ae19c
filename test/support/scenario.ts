import type { Policy } from '../../src/core/contract.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import type { HoldfastFetch, PipelineOptions } from '../../src/core/pipeline.ts';
import {
  type ScriptedOrigin,
  scriptedOrigin,
  type TestHost,
  testHost,
  virtualClock,
} from '../../src/testing.ts';
import { leanPipeline } from './lean-pipeline.ts';
import { quiet } from './platform.ts';

export const ORIGIN = 'https://api.example.com';

export interface Scenario {
  readonly fetch: HoldfastFetch;
  readonly origin: ScriptedOrigin;
  readonly host: TestHost;
  readonly clock: TestHost['clock'];
  readonly events: HoldfastEvent[];
  /** Events of one type, in order. */
  emitted<T extends HoldfastEvent['type']>(type: T): Extract<HoldfastEvent, { type: T }>[];
}

/** Policies around a scripted origin, in virtual time. */
export function scenario(
  policies: readonly Policy[],
  options: PipelineOptions & { seed?: number; canShareIO?: boolean } = {},
): Scenario {
  const { seed, canShareIO = true, ...rest } = options;
  const host = testHost({ clock: virtualClock({ quiet }), canShareIO, ...(seed !== undefined && { seed }) });
  const origin = scriptedOrigin(host.clock);
  const events: HoldfastEvent[] = [];
  const fetch = leanPipeline(policies, {
    host,
    fetch: origin.fetch,
    onEvent: (event) => events.push(event),
    ...rest,
  });
  return {
    fetch,
    origin,
    host,
    clock: host.clock,
    events,
    emitted: (type) => events.filter((event) => event.type === type) as never,
  };
}
