import { afterEach, beforeEach, expect, test } from 'vitest';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { macrotask } from '../../src/testing/clock.ts';
import { status } from '../../src/testing.ts';
import { durableStore } from '../support/durable.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const unhandled: unknown[] = [];
beforeEach(() => void unhandled.splice(0));
const collect = (error: unknown): void => void unhandled.push(error);
beforeEach(() => void process.on('unhandledRejection', collect));
afterEach(() => void process.off('unhandledRejection', collect));

test('a hook that aborts the call and throws leaves no unhandled rejection', async () => {
  const caller = new AbortController();
  const beforeRetry = async (): Promise<undefined> => {
    caller.abort(new Error('mine'));
    throw new Error('of the hook');
  };
  const { fetch, origin } = scenario([retry({ beforeRetry })]);
  origin.otherwise(status(503));
  await expect(fetch(`${ORIGIN}/x`, { signal: caller.signal })).rejects.toThrow('mine');
  await macrotask();
  await macrotask();
  expect(unhandled).toEqual([]);
  await fetch.close();
});

test('a `match` of an outbox that aborts the call leaves no unhandled rejection', async () => {
  const caller = new AbortController();
  const match = (): boolean => {
    caller.abort(new Error('mine'));
    return true;
  };
  const { fetch } = scenario([outboxPolicy({ match, store: durableStore() }, memoryStore)], {
    partition: 'ann',
  });
  const writing = fetch(`${ORIGIN}/x`, { method: 'POST', body: 'x', signal: caller.signal });
  await expect(writing).rejects.toThrow('mine');
  for (let turns = 0; turns < 5; turns++) await macrotask();
  expect(unhandled).toEqual([]);
  await fetch.close();
});
