import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/core/contract.ts';
import { StorageError } from '../../../src/core/errors.ts';
import type { Cipher, Item, StoredBody } from '../../../src/core/store.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { networkError, ok, status } from '../../../src/testing.ts';
import { cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { eventually, noTabs, quiet } from '../../support/platform.ts';
import { ORIGIN, scenario } from '../../support/scenario.ts';

/** Two tabs of one browser, each with its own user. */
function tabs(...users: string[]) {
  const store = durableStore();
  return users.map((first) => {
    let user = first;
    const page = cachePage({ store, mode: 'cache-first' }, { partition: () => user });
    page.origin.otherwise(() => fresh(`${user}’s`));
    return {
      ...page,
      signIn: (next: string) => {
        user = next;
      },
    };
  });
}

type Tab = ReturnType<typeof tabs>[number];

const everything = async (store: FaultyStore): Promise<string> => {
  const items = await store.range({});
  const bodies = await Promise.all(items.map(({ key }) => store.body(key)));
  const text = (body: StoredBody | undefined) =>
    body instanceof Uint8Array ? new TextDecoder().decode(body) : new Response(body ?? '').text();
  const plain = (item: Item) =>
    JSON.stringify(item, (_, value) =>
      value instanceof Uint8Array ? new TextDecoder().decode(value) : value,
    );
  return [...items.map(plain), ...(await Promise.all(bodies.map(text)))].join('\n');
};

describe('partitions', () => {
  test('a response that came after another user had signed in is not stored', async () => {
    let user = 'ann';
    const { fetch, origin, store, emitted } = cachePage({}, { partition: () => user });
    origin.replies(() => {
      user = 'bob';
      return ok('bob’s?');
    });
    await (await fetch(URL_)).text();
    await quiet();
    expect(await store.range({ prefix: 'response ' })).toEqual([]);
    expect(emitted('cache-discarded')).toMatchObject([{ reason: 'other-user' }]);
  });

  test('a response that came while another user was signed in for a moment is not stored', async () => {
    let user = 'ann';
    const { fetch, origin, store, emitted } = cachePage({}, { partition: () => user });
    origin.replies(async () => {
      user = 'bob';
      await fetch(URL_, { method: 'POST' });
      user = 'ann';
      return ok('bob’s?');
    }, ok());
    await (await fetch(URL_)).text();
    await quiet();
    expect(await store.range({ prefix: 'response ' })).toEqual([]);
    expect(emitted('cache-discarded')).toMatchObject([{ reason: 'other-user' }]);
  });

  test('warm() stores no response to a request that was sent while another user was signed in', async () => {
    let user = 'ann';
    const { fetch, cache, origin } = cachePage({}, { partition: () => user });
    origin.replies(
      () => {
        user = 'bob';
        return ok('ann’s');
      },
      async () => {
        await fetch(URL_, { method: 'POST' });
        user = 'ann';
        return ok('bob’s');
      },
      ok(),
    );
    const report = await cache.warm([`${URL_}/1`, `${URL_}/2`], { concurrency: 1 });
    expect(report['not-stored']).toEqual([`${URL_}/1`, `${URL_}/2`]);
    expect(await cache.entries()).toEqual([]);
  });

  test('a 304 that came while another user was signed in for a moment updates no cached response', async () => {
    let user = 'ann';
    const options = { validators: 'own', mode: 'cache-first' } as const;
    const { fetch, read, origin } = cachePage(options, { partition: () => user });
    const etag = '"1"';
    origin.replies(
      fresh('cached', 0, { etag }),
      async () => {
        user = 'bob';
        await fetch(URL_, { method: 'OPTIONS' });
        user = 'ann';
        return status(304, { etag, 'x-user': 'bob' });
      },
      ok(),
      status(304, { etag }),
    );
    await read();
    await read();
    expect((await fetch(URL_)).headers.get('x-user')).toBeNull();
  });

  test('a partition named like another one with a URL is a different one', async () => {
    const names = ['a', 'a b', 'a%20b', 'a https://api.example.com/orders', '*', '* ', ' '];
    const [tab] = tabs('');
    for (const name of names) {
      tab?.signIn(name);
      expect(await tab?.read()).toEqual([200, 'network', `${name}’s`]);
    }
    for (const name of names) {
      tab?.signIn(name);
      expect(await tab?.read()).toEqual([200, 'cache', `${name}’s`]);
    }
    await tab?.cache.clear({ partition: '*' });
    tab?.signIn('a');
    expect((await tab?.read())?.[1]).toBe('cache');
  });
});

describe('a sign-out', () => {
  test.skipIf(noTabs)('reaches every tab, and this one at once', async () => {
    const [one, other] = tabs('ann', 'ann') as [Tab, Tab];
    await one.read();
    expect((await other.read())[1]).toBe('cache');
    await one.cache.clear({ partition: 'ann' });
    for (const { origin } of [one, other]) origin.otherwise(networkError());
    await expect(one.fetch(URL_)).rejects.toThrow(TypeError);
    await eventually(async () => (await other.fetch(URL_).catch(() => 'none')) === 'none');
  });

  test('ends all earlier responses, also one stored by a tab that missed the message', async () => {
    const store = durableStore();
    const tab = cachePage({ store });
    await tab.read();
    const [late] = await store.rangeWithBodies({ prefix: 'response ' });
    await tab.clock.advance(1_000);
    await tab.cache.clear({ partition: 'ann' });
    expect(await store.range({ prefix: 'response ' })).toEqual([]);
    // As a tab that was closed before it received the broadcast.
    await store.write([{ put: { key: late?.key as string, value: late?.value }, body: late?.body }]);
    const next = cachePage({ store });
    await next.clock.advance(1_000);
    next.origin.otherwise(networkError());
    await expect(next.fetch(URL_)).rejects.toThrow(TypeError);
    expect(await store.range({ prefix: 'response ' })).toEqual([]);
  });

  test('leaves no trace of the user for longer than a day', async () => {
    const store = durableStore();
    const tab = cachePage({ store }, { partition: 'secret-user' });
    await tab.read();
    await tab.cache.clear({ partition: 'secret-user' });
    expect(await everything(store)).toContain('secret-user');
    const next = cachePage({ store }, { partition: 'bob' });
    next.clock.jump(25 * 3_600_000);
    await next.read();
    expect(await everything(store)).not.toContain('secret-user');
  });
});

describe('a change in one tab', () => {
  test.skipIf(noTabs)('is seen by the others, and emitted to those of the same user', async () => {
    const user = crypto.randomUUID();
    const [one, other] = tabs(user, user) as [Tab, Tab];
    const [stranger] = [cachePage({ store: one.store }, { partition: 'bob' })];
    await one.read();
    await eventually(() => other.emitted('cache-updated').length > 0);
    expect(other.emitted('cache-updated')).toEqual([{ type: 'cache-updated', url: URL_ }]);
    expect(stranger.emitted('cache-updated')).toEqual([]);
    expect((await other.read())[1]).toBe('cache');
    await one.fetch(URL_, { method: 'DELETE' });
    other.origin.otherwise(networkError());
    await eventually(async () => (await other.fetch(URL_).catch(() => 'none')) === 'none');
  });

  test.skipIf(!globalThis.navigator?.locks)(
    'keeps the others from revalidating at the same time',
    async () => {
      const store = durableStore();
      const both = [1, 2].map(() => cachePage({ store, mode: 'stale-while-revalidate' }));
      for (const { origin } of both) origin.otherwise(() => fresh('cached'));
      for (const tab of both) await tab.read();
      for (const { clock } of both) await clock.advance(61_000);
      await Promise.all(both.map(({ fetch }) => fetch(URL_)));
      await eventually(() => both.some(({ emitted }) => emitted('cache-revalidated').length > 0));
      expect(both.flatMap(({ origin }) => origin.seen)).toHaveLength(2);
    },
  );
});

describe('encrypted responses', () => {
  const key = (): Promise<CryptoKey> =>
    crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const page = (codec: Cipher, store = durableStore()) =>
    cachePage(
      { encryption: codec, store, mode: 'cache-first', memory: false },
      { partition: 'ann-the-user' },
    );

  test('show no content on the disk', async () => {
    const { read, origin, store, cache } = page(encryptWith(await key()));
    origin.replies(fresh('secret-body', 60, { 'x-name': 'secret-header' }));
    await read(`${URL_}?secret-query`);
    expect(await read(`${URL_}?secret-query`)).toEqual([200, 'cache', 'secret-body']);
    expect(await everything(store)).not.toMatch(/secret|orders|ann-the-user/);
    expect(await cache.entries({ partition: 'ann-the-user' })).toMatchObject([
      { url: `${URL_}?secret-query`, partition: 'ann-the-user', size: 11 },
    ]);
    expect(await cache.clear({ partition: 'ann-the-user' })).toBe(1);
    expect(await everything(store)).not.toMatch(/ann-the-user/);
  });

  test('are confirmed, deleted and limited as plain ones are', async () => {
    const { read, fetch, cache, clock, origin } = page(encryptWith(await key()));
    origin.replies(fresh('one'), fresh('two'), ok(), fresh('three'));
    await read();
    await clock.advance(61_000);
    expect((await read())[2]).toBe('two');
    await fetch(URL_, { method: 'PUT' });
    expect((await read())[2]).toBe('three');
    expect(await cache.usage()).toEqual({ entries: 1, bytes: 5 });
  });

  test('are not served without the key, with another key, or if changed or swapped', async () => {
    const store = durableStore();
    const codec = encryptWith(await key());
    const first = page(codec, store);
    first.origin.otherwise((request) => fresh(`of ${request.url}`));
    const damage: ((items: Item[]) => Promise<void> | void)[] = [
      async ([one, other]) =>
        // The cached response of one URL under the key of another.
        store.write([
          {
            put: { ...(one as Item), value: other?.value },
            body: (await store.body(other?.key as string)) ?? null,
          },
        ]),
      async (items) => {
        for (const item of items) {
          const value = item.value as { response: Uint8Array<ArrayBuffer> };
          const changed = value.response.slice();
          changed[20] = (changed[20] as number) ^ 1;
          await store.write([{ put: { ...item, value: { ...value, response: changed } } }]);
        }
      },
      async (items) => {
        for (const item of items) {
          const body = (await store.body(item.key)) as Uint8Array<ArrayBuffer>;
          body[20] = (body[20] as number) ^ 1;
          await store.write([{ put: item, body }]);
        }
      },
    ];
    for (const change of damage) {
      await first.read(`${URL_}/1`);
      await first.read(`${URL_}/2`);
      await change(await store.range({ prefix: 'response ' }));
      for (const n of [1, 2]) expect((await first.read(`${URL_}/${n}`))[2]).toBe(`of ${URL_}/${n}`);
    }
    await first.read();
    const another = page(encryptWith(await key()), store);
    another.origin.otherwise(networkError());
    await expect(another.fetch(URL_)).rejects.toThrow(TypeError);
  });

  test('without a key a read is uncached, and the next read asks for the key again', async () => {
    let tries = 0;
    const real = await key();
    const codec = encryptWith(async () => {
      if (++tries === 1) throw new Error('locked');
      return real;
    });
    const { read, emitted, origin } = page(codec);
    origin.otherwise(() => fresh('cached'));
    expect((await read())[1]).toBe('network');
    expect(emitted('store-failed')).toHaveLength(1);
    await read();
    expect((await read())[1]).toBe('cache');
  });

  test('an unavailable key deletes no cached response', async () => {
    const store = durableStore();
    const real = await key();
    const first = page(encryptWith(real), store);
    first.origin.replies(fresh('cached'));
    await first.read();
    let isLocked = true;
    const codec = encryptWith(async () => {
      if (isLocked) throw new Error('locked');
      return real;
    });
    const next = page(codec, store);
    next.origin.otherwise(networkError());
    await expect(next.fetch(URL_)).rejects.toThrow(TypeError);
    await expect(next.cache.entries()).rejects.toThrow(StorageError);
    expect(next.emitted('cache-discarded')).toEqual([]);
    isLocked = false;
    expect((await next.read())[2]).toBe('cached');
  });

  test('a key for another purpose is rejected', async () => {
    const wrong = await crypto.subtle.generateKey({ name: 'HMAC', hash: 'SHA-256' }, false, ['sign']);
    expect(() => encryptWith(wrong as CryptoKey)).toThrow(
      /encryptWith.key: .*HMAC.* is not allowed; expected an AES-GCM key/,
    );
    expect(() => encryptWith('key' as never)).toThrow(/encryptWith.key: 'key' is not allowed/);
    expect(() => cachePage({ encryption: {} as never })).toThrow(
      /staleCache.encryption: .*it lacks encrypt, decrypt, hashKey/,
    );
  });
});

describe("partition 'public' is a shared cache", () => {
  const auth_ = auth({ scheme: 'bearer', origins: [ORIGIN], token: () => 'of-ann' });
  const stored = async (
    cacheControl: string,
    init: Parameters<ReturnType<typeof cachePage>['read']>[1] = {},
    {
      vary,
      shared,
      with: policies = [],
    }: { vary?: string; shared?: 'ignore-authorization'; with?: Policy[] } = {},
  ): Promise<number> => {
    const store = durableStore();
    const cache = cachePolicy({ store, ...(shared && { shared }) }, memoryStore);
    const { fetch, origin, clock } = scenario([cache, ...policies], { partition: 'public' });
    origin.replies(() => fresh('of ann', 60, { 'cache-control': cacheControl, ...(vary && { vary }) }));
    await (await fetch(URL_, init)).text();
    await clock.busy(quiet());
    await clock.advance(0);
    const kept = await cache.entries();
    await fetch.close();
    return kept.length;
  };

  const authorization = { headers: { authorization: 'Bearer of-ann' } };
  const cookie = new Headers({ cookie: 'a=b' });

  test('stores a response to a request without credentials', async () => {
    expect(await stored('max-age=60')).toBe(1);
    expect(await stored('max-age=60', { holdfast: { auth: false } }, { with: [auth_] })).toBe(1);
  });

  test('stores nothing private', async () => {
    expect(await stored('private, max-age=60')).toBe(0);
    expect(await stored('private, public')).toBe(0);
  });

  test('stores nothing requested with Authorization, unless the response allows it', async () => {
    expect(await stored('max-age=60', authorization)).toBe(0);
    for (const word of ['public', 's-maxage=60', 'must-revalidate'])
      expect(await stored(word, authorization)).toBe(1);
  });

  test('stores nothing requested with a key in a header, unless the response allows it', async () => {
    for (const name of ['X-Api-Key', 'X-Auth-Token']) {
      expect(await stored('max-age=60', { headers: { [name]: 'of ann' } })).toBe(0);
      expect(await stored('public, max-age=60', { headers: { [name]: 'of ann' } })).toBe(1);
    }
  });

  // Browsers let no script set it.
  test.skipIf(!new Request(URL_, { headers: cookie }).headers.has('cookie'))(
    'stores nothing requested with a Cookie',
    async () => {
      expect(await stored('max-age=60', { headers: cookie })).toBe(0);
    },
  );

  test.skipIf(globalThis.location === undefined)('stores nothing requested with cookies', async () => {
    expect(await stored('max-age=60', { credentials: 'include' })).toBe(0);
  });

  test('stores nothing requested with auth, unless the response allows it', async () => {
    expect(await stored('max-age=60', {}, { with: [auth_] })).toBe(0);
    expect(await stored('public, max-age=60', {}, { with: [auth_] })).toBe(1);
  });

  test('stores nothing that varies by credentials', async () => {
    expect(await stored('public, max-age=60', authorization, { vary: 'accept, Authorization' })).toBe(0);
    expect(await stored('public', {}, { vary: 'Cookie' })).toBe(0);
  });

  test("'ignore-authorization' stores what an application requests with its own token", async () => {
    const shared = 'ignore-authorization';
    expect(await stored('max-age=60', authorization, { shared })).toBe(1);
    expect(await stored('max-age=60', {}, { shared, with: [auth_], vary: 'authorization' })).toBe(1);
    expect(await stored('private', authorization, { shared })).toBe(0);
  });

  test('a private response leaves the responses stored for all', async () => {
    const { read, origin } = cachePage({}, { partition: 'public' });
    origin.replies(fresh('of all'), fresh('of ann', 60, { 'cache-control': 'private' }), networkError());
    await read();
    await read(URL_, authorization);
    expect(await read()).toEqual([200, 'cache', 'of all']);
  });
});

test('a plain body does not replace an encrypted one', async () => {
  const key = crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
  const encryption = encryptWith(() => key as Promise<CryptoKey>);
  const store = durableStore();
  const first = cachePage({ store, mode: 'cache-first', encryption });
  first.origin.otherwise(() => fresh('good'));
  await first.read();
  await quiet();
  const [item] = await store.range({ prefix: 'response ' });
  for (const body of [new Blob(['evil']), 'evil']) {
    await store.write([{ put: item as Item, body }]);
    const second = cachePage({ store, mode: 'cache-first', encryption });
    second.origin.otherwise(() => fresh('good'));
    expect((await second.read())[2]).toBe('good');
    await second.fetch.close();
  }
});
