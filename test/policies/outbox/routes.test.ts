/** Routes are those of the code that sends, not of the code that accepted the write. */
import { expect, test } from 'vitest';
import { type PipelineOptions, pipeline } from '../../../src/core/pipeline.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { attemptTimeout, totalTimeout } from '../../../src/policies/timeout.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { hang, scriptedOrigin, testHost, virtualClock } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, URL_ } from '../../support/outbox-page.ts';
import { quiet } from '../../support/platform.ts';

/** One origin, and the versions of an app over the same store. */
function app() {
  const host = testHost({ clock: virtualClock({ quiet }) });
  const origin = scriptedOrigin(host.clock);
  const store = durableStore();
  const version = (routes: PipelineOptions['routes'] = []) => {
    const outbox = outboxPolicy({ store, pollInterval: '1h' }, memoryStore);
    const policies = [outbox, totalTimeout(), attemptTimeout()];
    const fetch = pipeline(policies, { host, fetch: origin.fetch, partition: 'ann', routes });
    closeAfterTest(fetch);
    return { fetch, outbox };
  };
  type Version = ReturnType<typeof version>;
  /** Accepts a write without a network. */
  const give = async ({ fetch }: Version, own: object = {}): Promise<void> => {
    host.connectivity.set(false);
    await fetch(URL_, { method: 'POST', holdfast: { outbox: true, ...own } });
  };
  /** The limit that an attempt at a silent origin has met. */
  const limitOf = async ({ outbox }: Version): Promise<string | undefined> => {
    origin.otherwise(hang());
    host.connectivity.set(true);
    await outbox.flush();
    return (await outbox.entries())[0]?.reason?.message;
  };
  return { give, version, limitOf };
}

const LONG = [{ match: '/orders', timeout: '60s' }];

test.each([
  ['has left', LONG, [], 'attempt time limit of 10000 ms passed'],
  ['is new', [], LONG, 'attempt time limit of 60000 ms passed'],
])('an entry goes by the routes of the new code: a route that %s', async (_, before, after, limit) => {
  const { give, version, limitOf } = app();
  const older = version(before);
  await give(older);
  await older.fetch.close();
  expect(await limitOf(version(after))).toBe(limit);
});

test.each<[string, object, string]>([
  ['a limit', { timeout: { attempt: '20s', total: '5s' } }, 'attempt time limit of 20000 ms passed'],
  ['a number', { timeout: '30s' }, 'attempt time limit of 30000 ms passed'],
])('an entry goes by the options of its call, in place of those of a route: %s', async (_, own, limit) => {
  const { give, version, limitOf } = app();
  const here = version(LONG);
  await give(here, own);
  expect(await limitOf(here)).toBe(limit);
});
