/** From the commit on a write is accepted, and its caller gets a response that says so. */
import { describe, expect, test } from 'vitest';
import { StorageError } from '../../../src/core/errors.ts';
import { serviceWorker } from '../../../src/service-worker.ts';
import { ok } from '../../../src/testing.ts';
import { deferred } from '../../support/deferred.ts';
import { durableStore } from '../../support/durable.ts';
import { page, settle, URL_ } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';

/** A store that fails as IndexedDB does, from the first operation after an accepted write on. */
function failsAfterAccepting() {
  const store = durableStore();
  let fails = false;
  let hasFailed = false;
  const guard = <A extends unknown[], T>(work: (...args: A) => Promise<T>) =>
    ((...args: A) => (fails ? Promise.reject(new StorageError('IndexedDB: it failed')) : work(...args))) as (
      ...args: A
    ) => Promise<T>;
  const { change } = store;
  return Object.assign(store, {
    get: guard(store.get),
    rangeWithBodies: guard(store.rangeWithBodies),
    range: guard(store.range),
    groups: guard(store.groups),
    change: guard(async (...args: Parameters<typeof change>) => {
      const done = await change(...args);
      if (args[2]?.strict && !hasFailed) fails = hasFailed = true;
      return done;
    }) as typeof change,
    healed: () => {
      fails = false;
    },
  });
}

describe('a committed write', () => {
  test('a committed write is not reported as rejected if the store fails afterwards', async () => {
    const store = failsAfterAccepting();
    const here = page({}, store);
    const result = await give(here, 'a').then(
      ({ status }) => status,
      (error) => error,
    );
    store.healed();
    expect(await here.outbox.counts()).toMatchObject({ waiting: 1 });
    expect(result).toBe(202);
  });

  test('a committed write is not also sent past the queue by a service worker', async () => {
    const store = failsAfterAccepting();
    const here = page({}, store);
    const listeners = new Map<string, (event: never) => void>();
    serviceWorker({
      fetch: here.fetch as never,
      outbox: here.outbox,
      routes: [{ match: () => true, outbox: true }] as never,
      scope: {
        addEventListener: (type: string, listener: (event: never) => void) =>
          void listeners.set(type, listener),
      },
    });
    const native = globalThis.fetch;
    let network = 0;
    globalThis.fetch = async () => {
      network++;
      return ok();
    };
    try {
      const request = new Request(URL_, { method: 'POST', body: 'a' });
      // In some runtimes a request has neither.
      Object.defineProperties(request, { destination: { value: '' }, mode: { value: 'cors' } });
      let responded: Promise<Response> | undefined;
      const event = {
        request,
        respondWith: (response: Promise<Response>) => (responded = response),
        waitUntil() {},
      };
      listeners.get('fetch')?.(event as never);
      const response = await responded;
      store.healed();
      await here.outbox.flush();
      // Once by the queue, and not by the network as well.
      expect({
        response: response?.status,
        queue: sent(here).length,
        network,
      }).toEqual({
        response: 202,
        queue: 1,
        network: 0,
      });
    } finally {
      globalThis.fetch = native;
    }
  });
});

test('a caller whose write was delivered before the commit returned has its response, though the network is gone', async () => {
  const store = durableStore();
  const here = page({}, store);
  here.host.connectivity.set(false);
  await give(here, '1');
  const first = deferred<Response>(here);
  here.origin.replies(first.work);
  here.host.connectivity.set(true);
  await settle();
  expect(sent(here)).toEqual(['1']);
  const { change } = store;
  const delay = deferred<void>(here);
  let changes = 0;
  // The second entry is on the disk, and the page learns of that late.
  store.change = (async (...args: Parameters<typeof change>) => {
    const done = await change(...args);
    if (changes++ === 0) await delay.work();
    return done;
  }) as typeof change;
  const second = give(here, '2', { id: '2' });
  await settle();
  first.resolve(ok());
  await settle();
  expect(sent(here)).toEqual(['1', '2']);
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
  here.host.connectivity.set(false);
  delay.resolve();
  expect((await second).status).toBe(200);
});
