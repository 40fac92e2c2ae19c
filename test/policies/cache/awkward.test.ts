import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../../src/core/outcome.ts';
import type { AtomicStore } from '../../../src/core/store.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { encryptWith } from '../../../src/stores/encryption.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { networkError, ok, slow, status } from '../../../src/testing.ts';
import { cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { durableStore } from '../../support/durable.ts';
import { eventually, noTabs, quiet } from '../../support/platform.ts';
import { scenario } from '../../support/scenario.ts';

const records = (store: AtomicStore) => store.range({ prefix: 'response ' });

/** The final URL of redirects. */
const redirected = (response: Response, url: string): Response =>
  Object.defineProperties(response, { redirected: { value: true }, url: { value: url } });

describe('a Request that is used again', () => {
  test('by another user gets no cached response of the first user', async () => {
    let user = 'ann';
    const { fetch, origin, clock } = cachePage({ validators: 'own' }, { partition: () => user });
    origin.otherwise((request) =>
      request.headers.has('if-none-match')
        ? status(304, { etag: '"7"' })
        : ok(user, { headers: { etag: '"7"' } }),
    );
    const request = new Request(URL_);
    const read = async () => {
      const text = await (await fetch(request)).text();
      await clock.advance(0);
      return text;
    };
    expect([await read(), await read()]).toEqual(['ann', 'ann']);
    user = 'bob';
    expect(await read()).toBe('bob');
    expect(origin.seen.map(({ headers }) => headers.has('if-none-match'))).toEqual([false, true, false]);
  });
});

test.skipIf(noTabs)(
  'a write with a lost response makes unconfirmed what another tab is reading',
  async () => {
    const store = durableStore();
    const [one, other] = [
      cachePage({ store, mode: 'cache-first' }),
      cachePage({ store, mode: 'cache-first' }),
    ];
    let respond = (_: Response): void => {};
    other.origin.replies(
      () =>
        new Promise((resolve) => {
          respond = resolve;
        }),
      fresh('after'),
    );
    const early = other.fetch(URL_, { holdfast: { timeout: false } }).then((response) => response.text());
    one.origin.otherwise(networkError());
    await expect(one.fetch(URL_, { method: 'PUT', body: 'x' })).rejects.toThrow(TypeError);
    for (let turn = 0; turn < 50; turn++) await quiet();
    respond(fresh('before'));
    expect(await early).toBe('before');
    for (let turn = 0; turn < 10; turn++) await quiet();
    expect(await other.read()).toEqual([200, 'network', 'after']);
  },
);

test.skipIf(noTabs)('a cached response that one tab deletes is gone in the others', async () => {
  const store = durableStore();
  const settings = { store, mode: 'cache-first', validators: 'own' } as const;
  const [one, other] = [cachePage(settings), cachePage(settings)];
  const headers = { etag: '"1"' };
  one.origin.replies(fresh('first', 60, headers), status(304, { 'cache-control': 'no-store', ...headers }));
  other.origin.otherwise(() => fresh('second'));
  await one.read();
  for (const _ of [1, 2]) expect(await other.read()).toEqual([200, 'cache', 'first']);
  await one.read(URL_, { cache: 'no-cache' });
  for (let turn = 0; turn < 50; turn++) await quiet();
  expect(await other.read()).toEqual([200, 'network', 'second']);
});

describe('tabs that read again after cache-updated', () => {
  test.skipIf(noTabs).each([{}, { etag: '"1"' }])(
    'come to rest: %j',
    async (headers: Record<string, string>) => {
      const store = durableStore();
      const both = [1, 2].map(() => {
        const page = cachePage(
          { store },
          { onEvent: ({ type }) => void (type === 'cache-updated' && page.read()) },
        );
        page.origin.otherwise(() => ok('same', { headers }));
        return page;
      });
      await both[0]?.read();
      for (let turn = 0; turn < 200; turn++) await quiet();
      expect(both.flatMap(({ origin }) => origin.seen).length).toBeLessThan(5);
    },
  );
});

describe('a response that is not the origin’s own', () => {
  test.each([200, 404])('a captive portal’s %i deletes no cached response', async (code) => {
    const { read, origin } = cachePage();
    origin.replies(
      fresh('good'),
      redirected(new Response('sign in', { status: code }), 'https://portal.example/'),
    );
    origin.otherwise(networkError());
    await read();
    expect((await read())[2]).toBe('sign in');
    expect(await read()).toEqual([200, 'cache', 'good']);
  });

  test('a captive portal’s response to a HEAD deletes no cached response', async () => {
    const { read, fetch, origin } = cachePage();
    const portal = new Response(null, { headers: { 'cache-control': 'no-store' } });
    origin.replies(fresh('good'), redirected(portal, 'https://portal.example/'));
    origin.otherwise(networkError());
    await read();
    await fetch(URL_, { method: 'HEAD' });
    expect(await read()).toEqual([200, 'cache', 'good']);
  });
});

describe('a write', () => {
  test('with a lost response makes unconfirmed also what is being read', async () => {
    const { fetch, read, origin, clock } = cachePage({ mode: 'cache-first' });
    origin.replies(
      slow(clock, 2_000, () => fresh('before')),
      networkError(),
      fresh('after'),
    );
    const early = fetch(URL_).then((response) => response.text());
    await quiet();
    await expect(fetch(URL_, { method: 'PUT', body: 'x' })).rejects.toThrow(TypeError);
    expect(await early).toBe('before');
    await clock.advance(0);
    expect(await read()).toEqual([200, 'network', 'after']);
  });

  test.each([404, 412])(
    'that is repeated after a lost response, and then responded to with %i, makes the cached responses stale',
    async (code) => {
      const cache = cachePolicy({ store: memoryStore(), mode: 'cache-first' }, memoryStore);
      const { fetch, origin } = scenario([cache, retry()], { partition: 'ann' });
      const text = async (): Promise<string> => (await fetch(URL_)).text();
      origin.replies(fresh('before'), networkError(), status(code), fresh('after'));
      await text();
      await quiet();
      expect((await fetch(URL_, { method: 'PUT', body: 'x' })).status).toBe(code);
      expect(await text()).toBe('after');
    },
  );

  test.each<[string, () => Response | Error]>([
    ['a write', ok],
    ['a write whose response was lost', networkError],
  ])('a response requested before %s does not replace one requested after it', async (_, written) => {
    const { fetch, read, origin, clock } = cachePage();
    origin.replies(
      slow(clock, 2_000, () => fresh('before')),
      written(),
      fresh('after'),
    );
    const early = read();
    clock.after(500, () => void fetch(URL_, { method: 'PUT', body: 'x' }).catch(() => {}));
    clock.after(1_000, () => void read());
    expect((await early)[2]).toBe('before');
    expect(origin.seen.map(({ method }) => method)).toEqual(['GET', 'PUT', 'GET']);
    origin.otherwise(networkError());
    expect((await read())[2]).toBe('after');
  });

  test('stays in force if its cached responses could not be deleted', async () => {
    const { fetch, read, origin, store, clock } = cachePage({ mode: 'cache-first' });
    origin.replies(fresh('before'), ok(), fresh('after'));
    await read();
    await clock.advance(1_000);
    store.break('fail');
    await fetch(URL_, { method: 'PUT', body: 'x' });
    store.heal();
    expect((await read())[2]).toBe('after');
  });

  test('ends the requests that reads may join, also with dedupe switched off', async () => {
    const { fetch, origin, clock } = cachePage();
    origin.replies(
      slow(clock, 2_000, () => ok('before')),
      ok(),
      ok('after'),
    );
    const early = fetch(URL_).then((response) => response.text());
    await quiet();
    await fetch(URL_, { method: 'PUT', body: 'x', holdfast: { dedupe: false } });
    expect(await (await fetch(URL_)).text()).toBe('after');
    expect(await early).toBe('before');
  });

  test('makes the next read revalidate through the platform’s own cache', async () => {
    const asked: string[] = [];
    const { read, fetch, origin, cache } = cachePage({ validators: 'platform' });
    origin.otherwise((request) => {
      asked.push(request.cache);
      return fresh('cached', 60, { 'content-location': '/list' });
    });
    const list = `${new URL(URL_).origin}/list`;
    await read(list);
    await fetch(URL_, { method: 'PUT', body: 'x' });
    await read(list);
    await read(list);
    await cache.clear();
    await read(list);
    // Some platforms know no such mode.
    const modes = asked.filter((_, at) => at !== 1).map((mode) => (mode === 'no-cache' ? mode : ''));
    if (asked.includes('no-cache')) expect(modes).toEqual(['', 'no-cache', '', 'no-cache']);
  });
});

// Seen in Chromium: several readers of one URL, some of whose bodies broke off.
test('a 304 without a cached body, from the platform’s own cache, repeats the request without that cache', async () => {
  const { read, origin } = cachePage({ validators: 'platform' });
  const asked: (string | undefined)[] = [];
  origin.otherwise(({ cache }) => {
    asked.push(cache);
    return asked.length === 1 ? status(304, { etag: '"1"' }) : fresh('whole');
  });
  const first = await read();
  // Some platforms know no such mode, and have no such cache.
  if (asked[0] === undefined) return;
  expect([first, await read()]).toEqual([
    [200, 'network', 'whole'],
    [200, 'network', 'whole'],
  ]);
  expect(asked.slice(0, 2)).toEqual([asked[0], 'reload']);
});

test('a new version that is too large to store leaves no older one', async () => {
  const { read, origin, clock, cache } = cachePage({ mode: 'cache-first', maxEntryBytes: 10 });
  origin.replies(fresh('old'), fresh('x'.repeat(11)));
  await read();
  await clock.advance(61_000);
  await read();
  expect(await cache.entries()).toEqual([]);
});

test('a body larger than maxBytes evicts no cached response', async () => {
  const { read, origin, cache } = cachePage({ maxBytes: 100 });
  origin.replies(ok('a'.repeat(50)), ok('b'.repeat(101)));
  await read(`${URL_}/1`);
  await read(`${URL_}/2`);
  expect((await cache.entries()).map(({ url }) => url)).toEqual([`${URL_}/1`]);
});

test('a HEAD of another variant changes nothing', async () => {
  const { read, fetch, origin, cache } = cachePage({ mode: 'cache-first' });
  origin.replies(fresh('html', 60, { etag: '"1"' }), ok('', { headers: { etag: '"2"', vary: 'accept' } }));
  await read();
  await fetch(URL_, { method: 'HEAD', holdfast: { staleCache: { mode: 'network-first' } } });
  expect(await read()).toEqual([200, 'cache', 'html']);
  expect(await cache.entries()).toHaveLength(1);
});

describe('a store that hung once', () => {
  test('is used again after a pause', async () => {
    const { read, store, clock, origin } = cachePage({ mode: 'cache-first', memory: false });
    origin.otherwise(() => fresh('cached'));
    store.break('hang');
    await read();
    store.heal();
    await clock.advance(31_000);
    await read();
    expect((await read())[1]).toBe('cache');
  });

  test('delays one write, and not each', async () => {
    const { fetch, store, clock } = cachePage();
    store.break('hang');
    const before = clock.ticks();
    for (let n = 0; n < 3; n++) await fetch(URL_, { method: 'PUT', body: 'x' });
    expect(clock.ticks() - before).toBe(2_000);
  });

  test('makes clear() reject', async () => {
    const { cache, store } = cachePage();
    store.break('hang');
    await expect(cache.clear()).rejects.toThrow(
      'staleCache.clear: the store did not respond within 10000 ms',
    );
  });
});

test('plain cached responses are deleted at the first use of encryption', async () => {
  const store = durableStore();
  const plain = cachePage({ store });
  await plain.read(`${URL_}?secret`);
  await plain.fetch.close();
  const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
    'encrypt',
    'decrypt',
  ]);
  const sealed = cachePage({ store, encryption: encryptWith(key as CryptoKey) });
  await sealed.read(`${URL_}?other`);
  expect(JSON.stringify(await records(store))).not.toContain('secret');
  expect(await sealed.cache.usage()).toEqual({ entries: 1, bytes: 2 });
});

test('a sign-out deletes a cached response that waits for the origin’s silence', async () => {
  const store = durableStore();
  const { fetch, origin, clock, cache, read } = cachePage({ store, respondAfter: '800ms' });
  origin.replies(
    fresh('one'),
    slow(clock, 2_000, () => fresh('two')),
  );
  await read();
  clock.after(400, () => void cache.clear());
  const response = await fetch(URL_);
  expect([sourceOf(response), await response.text()]).toEqual(['network', 'two']);
});

describe('an invalid option is rejected', () => {
  test.each<[string, (cache: ReturnType<typeof cachePage>['cache']) => Promise<unknown>, RegExp]>([
    ['a name for options', (cache) => cache.clear('ann' as never), /staleCache.clear: 'ann' is not allowed/],
    [
      'a slip',
      (cache) => cache.clear({ partion: 'ann' } as never),
      /partion: 'ann' is not allowed; unknown option/,
    ],
    ['nobody', (cache) => cache.clear({ partition: null } as never), /clear.partition: null is not allowed/],
    [
      'a URL of nobody’s',
      (cache) => (cache.delete as (url: string) => Promise<number>)(URL_),
      /delete.partition: undefined/,
    ],
    [
      'one URL for a list',
      (cache) => cache.warm(URL_ as never),
      /staleCache.warm: '.*' is not allowed; expected a list/,
    ],
  ])('%s', async (_, use, message) => {
    await expect(use(cachePage().cache)).rejects.toThrow(message);
  });

  test.each(['Authorization', '*'])('to vary by %s', (name) => {
    expect(() => cachePage({ vary: [name] })).toThrow(/staleCache.vary: .* is not allowed/);
  });
});

test('a full disk evicts a quarter of what is stored, and not of what this tab once counted', async () => {
  const store = durableStore();
  const [one, other] = [cachePage({ store }), cachePage({ store })];
  await one.read(`${URL_}/first`);
  for (let n = 0; n < 19; n++) {
    await other.clock.advance(2_000);
    await other.read(`${URL_}/${n}`);
  }
  const { change } = store;
  let refused = 0;
  store.change = (keys, decide, options) =>
    change(
      keys,
      (found) => {
        const decision = decide(found);
        if (decision.changes.some((each) => 'put' in each && each.body) && refused++ === 0)
          throw new DOMException('full', 'QuotaExceededError');
        return decision;
      },
      options,
    );
  await one.clock.advance(60_000);
  await one.read(`${URL_}/last`);
  // Twenty less the five evicted ones, and the new one.
  expect(await records(store)).toHaveLength(16);
});

test('a sign-out by a clock that was ahead delays no later read', async () => {
  const store = durableStore();
  const { cache, clock, read, origin } = cachePage({ store, memory: false });
  await read();
  clock.jump(3_600_000);
  await cache.clear();
  clock.jump(-3_600_000);
  await read(`${URL_}/1`);
  await clock.advance(1_000);
  await read(`${URL_}/2`);
  origin.otherwise(networkError());
  expect((await read(`${URL_}/2`))[1]).toBe('stale');
});

test('an unreadable record does not end a list', async () => {
  const { cache, read, store } = cachePage();
  for (const n of [1, 2, 3]) await read(`${URL_}/${n}`);
  const [first] = await records(store);
  await store.write([{ put: { key: first?.key as string, value: 'garbage' } }]);
  expect((await cache.entries({ limit: 1 })).map(({ url }) => url)).toEqual([`${URL_}/2`]);
});

test('an origin’s Cache-Status with an open quote does not swallow ours', async () => {
  const { fetch, read, origin } = cachePage({ mode: 'cache-first' });
  origin.replies(fresh('cached', 60, { 'cache-status': 'cdn; detail="open' }));
  await read();
  expect((await fetch(URL_)).headers.get('cache-status')).toBe('holdfast; hit; ttl=60');
});

test('each of two pipelines that share a cache can warm it', async () => {
  const cache = cachePolicy({ store: durableStore() }, memoryStore);
  const scenes = [1, 2].map(() => scenario([cache], { partition: 'ann' }));
  await scenes[0]?.fetch.close();
  expect(await cache.warm([URL_])).toMatchObject({ stored: [URL_] });
  await scenes[1]?.fetch.close();
});

test('after a write a cached response is not fresh, although the store hung when it was to be marked', async () => {
  const inner = durableStore();
  let isHung = false;
  const unlessHung = <T>(work: () => Promise<T>): Promise<T> => (isHung ? new Promise(() => {}) : work());
  const store: AtomicStore = {
    ...inner,
    write: (changes) => unlessHung(() => inner.write(changes)),
    change: (...args) => unlessHung(() => inner.change(...args)),
  };
  const { fetch, read, origin, clock } = cachePage({ store, mode: 'cache-first' });
  origin.replies(fresh('old', 3_600), ok('done'), fresh('new', 3_600));
  await read();
  expect((await read())[1]).toBe('cache');
  isHung = true;
  await fetch(URL_, { method: 'POST', body: 'x' });
  // Until the store is asked again.
  await clock.advance(35_000);
  expect(await read()).toEqual([200, 'network', 'new']);
});

test.skipIf(noTabs)('a response that another tab stored after its write is fresh here', async () => {
  const store = durableStore();
  const here = cachePage({ store, mode: 'cache-first' });
  const other = cachePage({ store, mode: 'cache-first' });
  other.origin.replies(fresh('old', 3_600), ok('done'), fresh('new', 3_600));
  await other.read();
  expect(await here.read()).toEqual([200, 'cache', 'old']);
  await other.fetch(URL_, { method: 'POST', body: 'x' });
  expect(await other.read()).toEqual([200, 'network', 'new']);
  await eventually(() => here.emitted('cache-updated').length === 2);
  expect(await here.read()).toEqual([200, 'cache', 'new']);
});

test('a response that is stored after a write could not be marked is fresh', async () => {
  const { fetch, read, origin, store } = cachePage({ mode: 'cache-first', memory: 0 });
  origin.replies(fresh('old', 3_600), networkError(), fresh('new', 3_600));
  await read();
  store.break('fail');
  await fetch(URL_, { method: 'POST', body: 'x' }).catch(() => {});
  store.heal();
  expect(await read()).toEqual([200, 'network', 'new']);
  expect(await read()).toEqual([200, 'cache', 'new']);
});
