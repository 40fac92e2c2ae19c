import { describe, expect, test } from 'vitest';
import { type WebCache, webCacheStore } from '../../src/cloudflare.ts';
import type { Change } from '../../src/core/store.ts';
import { storeLaws } from '../contracts/store.ts';
import { readsWithout, servesStale } from '../support/over-store.ts';

const hasCaches = typeof globalThis.caches === 'object';
const isWorkers = globalThis.navigator?.userAgent === 'Cloudflare-Workers';
let made = 0;
const newUrl = (): string => `https://holdfast.invalid/test-${++made}/`;

const put = (key: string, value: unknown): Change => ({ put: { key, value } });

describe.skipIf(!hasCaches)('the Cache API', () => {
  const open = (): Promise<WebCache> => caches.open('holdfast-test');

  storeLaws(
    () => {
      const url = newUrl();
      return { store: webCacheStore(open, { url }), reopen: () => webCacheStore(open, { url }) };
    },
    { lists: false },
  );

  test('a stale cache over it keeps also what the platform may not', () => {
    const url = newUrl();
    return servesStale(() => webCacheStore(open, { url }));
  });

  test.skipIf(!isWorkers)('a stale cache over the default cache of Workers', () => {
    const { default: cache } = caches as unknown as { readonly default: WebCache };
    const url = newUrl();
    return servesStale(() => webCacheStore(cache, { url }));
  });

  test('finds what is in a folder, and nothing in the folders in it', async () => {
    const store = webCacheStore(open, { url: newUrl() });
    const keys = [
      'response ann https://a.example/ 1',
      'response ann https://a.example/ 2',
      'response ann https://b.example/ 3',
    ];
    const marks = ['responses deleted ann ', 'responses deleted everybody'];
    await store.write([...keys, ...marks, 'responses total'].map((key) => put(key, key)));
    const found = async (prefix: string) => (await store.range({ prefix })).map(({ key }) => key);
    expect(await found('response ann https://a.example/ ')).toEqual(keys.slice(0, 2));
    expect(await found('response ann https://a.example/ 2')).toEqual(keys.slice(1, 2));
    expect(await found('responses deleted ')).toEqual(marks);
    expect(await found('responses ')).toEqual(['responses total']);
    expect(await found('response ann ')).toEqual([]);
    expect(await found('')).toEqual([]);
    for (const key of keys) expect((await store.get(key))?.value).toBe(key);
  });

  test('tells the platform how long to keep it, and nothing that the origin has said', async () => {
    const headers: Headers[] = [];
    const cache: WebCache = {
      match: async () => undefined,
      put: async (_, response) => void headers.push(response.headers),
      delete: async () => false,
    };
    await webCacheStore(cache, { url: newUrl(), expiresAfter: '2h' }).write([{ ...put('a', 1), body: 'b' }]);
    await webCacheStore(cache, { url: newUrl() }).write([put('a', 1)]);
    expect(headers.map((each) => each.get('cache-control'))).toEqual([
      'public, max-age=7200',
      'public, max-age=7200',
      'public, max-age=86400',
    ]);
    for (const each of headers) for (const name of ['set-cookie', 'vary']) expect(each.has(name)).toBe(false);
  });

  test('of two writers of a key one has the item, with its body', async () => {
    const url = newUrl();
    const stores = [1, 2].map(() => webCacheStore(open, { url }));
    for (let turn = 0; turn < 10; turn++) {
      await Promise.all(stores.map((store, at) => store.write([{ ...put('a', at), body: `body ${at}` }])));
      const [whole] = (await stores[0]?.rangeWithBodies({ prefix: 'a' })) ?? [];
      expect(whole?.body).toBe(`body ${whole?.value}`);
    }
  });

  describe('what the platform has dropped', () => {
    /** Entries of a cache that a test can reach. */
    async function opened() {
      const urls: string[] = [];
      const cache = await open();
      const spied: WebCache = {
        match: (url) => cache.match(url),
        put(url, response) {
          urls.push(url);
          return cache.put(url, response);
        },
        delete: (url) => cache.delete(url),
      };
      const store = webCacheStore(spied, { url: newUrl() });
      await store.write([{ ...put('a', 1), body: new Uint8Array(1_000) }]);
      const [body, folder] = urls as [string, string];
      return { cache, store, body, folder };
    }

    test('is not there: an item without its body, or neither', async () => {
      const { cache, store, body, folder } = await opened();
      await cache.delete(body);
      expect((await store.get('a'))?.value).toBe(1);
      expect(await store.body('a')).toBeUndefined();
      expect(await store.rangeWithBodies({ prefix: 'a' })).toEqual([{ key: 'a', value: 1, body: undefined }]);
      await cache.delete(folder);
      expect(await store.get('a')).toBeUndefined();
    });

    test('is never half a body', async () => {
      const { cache, store, body } = await opened();
      const headers = { 'cache-control': 'public, max-age=60' };
      await cache.put(body, new Response(new Uint8Array(999), { headers }));
      expect(await store.body('a')).toBeUndefined();
    });

    test.each(['{}', '{"schema":0,"folder":"","kept":[{"item":{"key":"a"}}]}', '{"schema":1', ''])(
      'or another version has written is not there: %j',
      async (text) => {
        const { cache, store, folder } = await opened();
        await cache.put(folder, new Response(text, { headers: { 'cache-control': 'public, max-age=60' } }));
        expect(await store.get('a')).toBeUndefined();
        await store.write([put('a', 2)]);
        expect((await store.get('a'))?.value).toBe(2);
      },
    );
  });

  test('leaves nothing behind of what was deleted or replaced', async () => {
    const cache = await open();
    const there = new Set<string>();
    const store = webCacheStore(
      {
        match: (url) => cache.match(url),
        put(url, response) {
          there.add(url);
          return cache.put(url, response);
        },
        delete(url) {
          there.delete(url);
          return cache.delete(url);
        },
      },
      { url: newUrl() },
    );
    await store.write([{ ...put('a', 1), body: 'one' }]);
    await store.write([{ ...put('a', 2), body: 'two' }]);
    expect(there.size).toBe(2);
    await store.write([{ delete: 'a' }]);
    expect(there.size).toBe(0);
  });
});

test('a cache that fails leaves reads with what the network has', async () => {
  const fail = (): Promise<never> => Promise.reject(new TypeError('Cache API is not to be had here'));
  expect(await readsWithout(webCacheStore({ match: fail, put: fail, delete: fail }))).toMatchObject({
    type: 'store-failed',
    error: {
      name: 'StorageError',
      message: expect.stringMatching(/^Cache API: .* failed: TypeError: Cache API is not/),
    },
  });
});

test('what cannot be meant is refused', async () => {
  expect(() => webCacheStore(undefined as never)).toThrow(
    'webCacheStore.cache: undefined is not allowed; expected a cache such as caches.default',
  );
  expect(() => webCacheStore({ match() {} } as never)).toThrow(/it lacks put, delete/);
  await expect(webCacheStore(async () => undefined as never).get('a')).rejects.toThrow(
    'webCacheStore.cache: undefined is not allowed',
  );
  const cache = { match() {}, put() {}, delete() {} } as never;
  for (const url of [
    'holdfast',
    'https://a.example',
    'ftp://a.example/',
    'https://a.example/?b/',
    5 as never,
  ])
    expect(() => webCacheStore(cache, { url })).toThrow(/webCacheStore.url/);
  expect(() => webCacheStore(cache, { expiresAfter: 0 })).toThrow(/webCacheStore.expiresAfter/);
});
