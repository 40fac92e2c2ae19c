import { onTestFinished } from 'vitest';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import type { OutboxOptions } from '../../src/policies/outbox/options.ts';
import { type Outbox, outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { durableStore, type FaultyStore } from './durable.ts';
import { quiet } from './platform.ts';
import { ORIGIN, type Scenario, scenario } from './scenario.ts';

export const URL_ = `${ORIGIN}/orders`;
export const POST = { method: 'POST', body: 'order', holdfast: { outbox: true } };

/** One name has one outbox: it is free again for the next test. */
export const closeAfterTest = (fetch: { close(): Promise<void> }): void =>
  onTestFinished(() => fetch.close());

export interface Page extends Scenario {
  readonly outbox: Outbox;
  readonly store: FaultyStore;
}

/** A page with an outbox; another one on the same store is the page after a reload. */
export function page(
  options: OutboxOptions & { user?: () => string } = {},
  store = durableStore(),
  before?: Page,
): Page {
  const { user = () => 'ann', ...rest } = options;
  const outbox = outboxPolicy({ store, pollInterval: '1h', ...rest }, memoryStore);
  const scene = scenario([outbox, totalTimeout(), retry(), breaker({ failures: 50 }), attemptTimeout()], {
    partition: user,
    ...(before && { host: before.host, fetch: before.origin.fetch }),
  });
  closeAfterTest(scene.fetch);
  const { origin, host, clock } = before ?? scene;
  return { ...scene, origin, host, clock, outbox, store };
}

export async function reloaded(before: Page, options: Parameters<typeof page>[0] = {}): Promise<Page> {
  await before.fetch.close();
  return page(options, before.store, before);
}

export const idOf = async (response: Response): Promise<string> =>
  ((await response.json()) as { id: string }).id;

/** Lets what was set off in the background come to rest. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 20; turn++) await quiet();
}
