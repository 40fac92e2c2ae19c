/** Two bundles of one page, each with a module instance of the library of its own. */
import { expect, test } from 'vitest';
import { pipeline } from '../../../src/core/pipeline.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { otherBundle } from '../../support/bundles.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, POST, page, settle, URL_ } from '../../support/outbox-page.ts';

/** The client of a second bundle, beside one over `here`. */
async function secondBundle(here: ReturnType<typeof page>, store = here.store) {
  const outboxPolicy = await otherBundle('second-bundle');
  return () => {
    const fetch = pipeline([outboxPolicy({ store, pollInterval: '1h' }, memoryStore)], {
      partition: () => 'ann',
      host: here.host,
      fetch: here.origin.fetch,
    });
    closeAfterTest(fetch);
    return fetch;
  };
}

test('two bundles with equal clients send each write once', async () => {
  const here = page();
  const there = (await secondBundle(here))();
  here.host.connectivity.set(false);
  await here.fetch(URL_, { ...POST, body: 'first' });
  await there(URL_, { ...POST, body: 'second' });
  here.host.connectivity.set(true);
  await settle();
  await here.clock.advance(60_000);
  expect(here.origin.seen.map(({ body }) => body)).toEqual(['first', 'second']);
});

test('two bundles whose clients share a name and not a database are a ConfigurationError', async () => {
  const here = page();
  const make = await secondBundle(here, { ...durableStore(), name: 'another' });
  expect(make).toThrow('both called');
});
