import { afterEach, expect, test } from 'vitest';
import {
  createFetch,
  type HoldfastFetch,
  indexedDBStore,
  outbox,
  sourceOf,
  staleCache,
} from '../../src/index.ts';
import { newName, openRaw, readRaw } from '../support/databases.ts';

const URL_ = 'https://api.example.com/orders?x=1';

const open: HoldfastFetch[] = [];

afterEach(async () => {
  for (const fetch of open.splice(0)) await fetch.close();
});

test.skipIf(typeof globalThis.indexedDB !== 'object')(
  'a database of a newer version: writes for the outbox are rejected, and reads go on uncached',
  async () => {
    const [outboxName, cacheName] = [newName(), newName()];
    for (const name of [outboxName, cacheName]) (await openRaw(name, 99)).close();
    const trouble = Promise.withResolvers<unknown>();
    const update = Promise.withResolvers<string>();
    const sent: string[] = [];
    const fetch = createFetch({
      name: 'shop',
      partition: 'public',
      outbox: outbox({ store: indexedDBStore({ name: outboxName }) }),
      staleCache: staleCache({ store: indexedDBStore({ name: cacheName }) }),
      onEvent: (event) => {
        if (event.type === 'store-failed') trouble.resolve(event.error);
        if (event.type === 'update-required') update.resolve(event.store);
      },
      fetch: async (input, init) => {
        const { method } = new Request(input, init);
        sent.push(method);
        return new Response('fresh', { headers: { 'cache-control': 'max-age=60' } });
      },
    });
    open.push(fetch);
    for (const _ of [1, 2]) {
      const answer = await fetch(URL_);
      expect([await answer.text(), sourceOf(answer)]).toEqual(['fresh', 'network']);
    }
    expect(sent).toEqual(['GET', 'GET']);
    expect(await trouble.promise).toMatchObject({ code: 'storage-newer' });
    expect(await update.promise).toBe(`indexeddb:${outboxName}`);
    await expect(
      fetch(URL_, { method: 'POST', body: 'order', holdfast: { outbox: true } }),
    ).rejects.toMatchObject({ name: 'StorageError', code: 'storage-newer', transient: false });
    expect(sent).toEqual(['GET', 'GET']);
    for (const name of [outboxName, cacheName]) expect((await readRaw(name)).version).toBe(99);
  },
);
