import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../../src/core/outcome.ts';
import { createClient, memoryStore, staleCache } from '../../../src/index.ts';
import type { CacheMode } from '../../../src/policies/cache/options.ts';
import { networkError, ok, slow, stalledBody, status } from '../../../src/testing.ts';
import { browserSays } from '../../support/browser-says.ts';
import { type CachePage, cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { quiet } from '../../support/platform.ts';

/** Whether the runtime knows a cache mode of fetch; some reject unsupported modes. */
const knows = (cache: RequestCache, mode: RequestMode = 'cors'): boolean => {
  try {
    return new Request(URL_, { cache, mode }).cache === cache;
  } catch {
    return false;
  }
};

const readInto = async ({ read }: CachePage): Promise<void> => void (await read());

describe('cache-first', () => {
  test('a fresh response costs no request', async () => {
    const page = cachePage({ mode: 'cache-first' });
    page.origin.replies(fresh('one'), fresh('two'));
    await readInto(page);
    expect(await page.read()).toEqual([200, 'cache', 'one']);
    await page.clock.advance(61_000);
    expect(await page.read()).toEqual([200, 'network', 'two']);
    expect(page.origin.seen).toHaveLength(2);
    expect(page.cache.stats()).toMatchObject({ hits: 1, stored: 2 });
  });

  test('a stale response is revalidated, and stands in if there is no response', async () => {
    const page = cachePage({ mode: 'cache-first' });
    page.origin.replies(fresh('one'));
    page.origin.otherwise(networkError());
    await readInto(page);
    await page.clock.advance(61_000);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
  });

  test('a route sets it for its URLs, a call for itself', async () => {
    const page = cachePage({}, { routes: [{ match: '/orders', staleCache: { mode: 'cache-first' } }] });
    page.origin.otherwise(() => fresh('cached'));
    await page.read(`${URL_}`);
    expect(await page.read(`${URL_}`)).toEqual([200, 'cache', 'cached']);
    await page.read(`${URL_}?other`, { holdfast: { staleCache: { mode: 'network-first' } } });
    expect(
      (await page.read(`${URL_}?other`, { holdfast: { staleCache: { mode: 'network-first' } } }))[1],
    ).toBe('network');
    expect((await page.read(`${URL_}?other`, { holdfast: { staleCache: { mode: 'cache-first' } } }))[1]).toBe(
      'cache',
    );
  });

  test('a clock set back makes no response fresh again, one set forward invalidates none', async () => {
    const page = cachePage({ mode: 'cache-first' });
    page.origin.otherwise(() => fresh('cached'));
    await readInto(page);
    page.clock.jump(-3_600_000);
    expect((await page.read())[1]).toBe('network');
    expect((await page.read())[1]).toBe('cache');
    page.clock.jump(365 * 86_400_000);
    expect((await page.read())[1]).toBe('network');
    expect((await page.read())[1]).toBe('cache');
  });
});

describe('stale-while-revalidate', () => {
  test('serves a stale response at once, and the new one to the next reader', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.replies(fresh('one'), fresh('two'));
    await readInto(page);
    await page.clock.advance(61_000);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(100);
    expect(await page.read()).toEqual([200, 'cache', 'two']);
    expect(page.emitted('cache-revalidated')).toMatchObject([{ url: URL_, changed: true }]);
  });

  test('announces the new response once it is stored, and none that is the same', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.replies(fresh('one'), fresh('two'), fresh('two'));
    const revalidated = async (): Promise<void> => {
      await page.clock.advance(61_000);
      expect((await page.read())[1]).toBe('stale');
      await page.clock.advance(100);
    };
    await readInto(page);
    await revalidated();
    expect(page.events.slice(-2).map(({ type }) => type)).toEqual(['cache-stored', 'cache-updated']);
    await revalidated();
    expect(page.emitted('cache-updated')).toEqual([{ type: 'cache-updated', url: URL_ }]);
  });

  test('sends one request for many readers', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.replies(
      fresh('one'),
      slow(page.clock, 1_000, () => fresh('two')),
    );
    await readInto(page);
    await page.clock.advance(61_000);
    const responses = await Promise.all(Array.from({ length: 10 }, () => page.fetch(URL_)));
    expect(responses.map(sourceOf)).toEqual(Array(10).fill('stale'));
    await page.clock.advance(2_000);
    expect(page.origin.seen).toHaveLength(2);
  });

  test('the origin’s directive sets how long, in every mode that reads the cache first', async () => {
    const page = cachePage({ mode: 'cache-first' });
    const directive = { 'cache-control': 'max-age=60, stale-while-revalidate=30' };
    page.origin.replies(fresh('one', 0, directive), fresh('two', 0, directive), fresh('three', 0, directive));
    await readInto(page);
    await page.clock.advance(80_000);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(91_000);
    expect(await page.read()).toEqual([200, 'network', 'three']);
  });

  test('serves no more than the origin allows', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.otherwise(() => fresh('cached', 0, { 'cache-control': 'max-age=60, must-revalidate' }));
    await readInto(page);
    await page.clock.advance(61_000);
    expect((await page.read())[1]).toBe('network');
  });

  test('a failure in the background is an event and no error of a call', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.replies(fresh('one'), networkError(), networkError(), fresh('two'));
    await readInto(page);
    await page.clock.advance(61_000);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(60_000);
    expect(page.emitted('cache-revalidated')[0]).toHaveProperty('error');
    await page.read();
    await page.clock.advance(60_000);
    expect((await page.read())[2]).not.toBe('');
  });

  test('a body that is silent for two minutes in the background is an event, and is not stored', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    const { response, cancelled } = stalledBody();
    response.headers.set('cache-control', 'max-age=60');
    page.origin.replies(fresh('one'), response);
    await readInto(page);
    await page.clock.advance(61_000);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(119_000);
    expect(cancelled()).toBe(false);
    await page.clock.advance(2_000);
    expect(cancelled()).toBe(true);
    expect(page.emitted('cache-revalidated').at(-1)).toMatchObject({ error: { code: 'timeout-total' } });
    expect(await page.read()).toEqual([200, 'stale', 'one']);
  });

  test('sends no request while the host is offline', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.replies(fresh('one'));
    await readInto(page);
    await page.clock.advance(61_000);
    page.host.connectivity.set(false);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(60_000);
    expect(page.origin.seen).toHaveLength(1);
  });

  test('sends no request while the page is hidden', async () => {
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.replies(fresh('one'), fresh('two'));
    await readInto(page);
    await page.clock.advance(61_000);
    const { turn } = browserSays({ hidden: true });
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(1_000);
    expect(page.origin.seen).toHaveLength(1);
    turn(false);
    await page.read();
    await page.clock.advance(1_000);
    expect((await page.read())[2]).toBe('two');
  });

  test('does not revalidate a young response with Save-Data', async () => {
    browserSays({ saveData: true });
    const page = cachePage({ mode: 'stale-while-revalidate' });
    page.origin.replies(fresh('one'), fresh('two'));
    await readInto(page);
    await page.clock.advance(299_000);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(1_000);
    expect(page.origin.seen).toHaveLength(1);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    await page.clock.advance(1_000);
    expect(page.origin.seen).toHaveLength(2);
  });

  test('does not revalidate with the cookies of the next user', async () => {
    let user = 'ann';
    const page = cachePage({ mode: 'stale-while-revalidate' }, { partition: () => user });
    page.origin.replies(fresh('ann’s'));
    await readInto(page);
    await page.clock.advance(61_000);
    const reading = page.fetch(URL_);
    user = 'bob';
    expect(await (await reading).text()).toBe('ann’s');
    await page.clock.advance(60_000);
    expect(page.origin.seen).toHaveLength(1);
  });
});

describe('network-first', () => {
  test('serves the cached response at once while the host is offline, and sends no request', async () => {
    const page = cachePage();
    page.origin.otherwise(() => fresh('one'));
    await readInto(page);
    await page.clock.advance(61_000);
    page.host.connectivity.set(false);
    const before = page.clock.ticks();
    const response = await page.fetch(URL_);
    expect([sourceOf(response), await response.text()]).toEqual(['stale', 'one']);
    expect(page.clock.ticks() - before).toBe(0);
    expect(page.origin.seen).toHaveLength(1);
    page.host.connectivity.set(true);
    expect((await page.read())[1]).toBe('network');
  });

  test('serves the cached response as soon as the host goes offline during the request', async () => {
    const page = cachePage();
    page.origin.replies(
      fresh('one'),
      slow(page.clock, 20_000, () => fresh('two')),
    );
    await readInto(page);
    await page.clock.advance(61_000);
    const before = page.clock.ticks();
    page.clock.after(3_000, () => page.host.connectivity.set(false));
    const response = await page.fetch(URL_);
    expect([sourceOf(response), await response.text()]).toEqual(['stale', 'one']);
    expect(page.clock.ticks() - before).toBe(3_000);
  });

  test('sends a request while the host is offline if no cached response may be served', async () => {
    const page = cachePage();
    page.origin.replies(fresh('one', 0, { 'cache-control': 'no-cache' }), fresh('two'), fresh('other'));
    await readInto(page);
    page.host.connectivity.set(false);
    expect((await page.read())[2]).toBe('two');
    expect((await page.read(`${URL_}/other`))[2]).toBe('other');
  });

  test('serves a cached response after respondAfter, and stores the late response', async () => {
    const page = cachePage({ respondAfter: '800ms' });
    page.origin.replies(
      fresh('one'),
      slow(page.clock, 3_000, () => fresh('two')),
    );
    await readInto(page);
    await page.clock.advance(61_000);
    const before = page.clock.ticks();
    const response = await page.fetch(URL_);
    expect(page.clock.ticks() - before).toBe(800);
    expect([sourceOf(response), await response.text()]).toEqual(['stale', 'one']);
    await page.clock.advance(10_000);
    page.origin.otherwise(networkError());
    expect((await page.read())[2]).toBe('two');
  });

  test('waits on if no cached response may be served', async () => {
    const page = cachePage({ respondAfter: '800ms' });
    page.origin.replies(
      slow(page.clock, 3_000, () => fresh('one', 0, { 'cache-control': 'no-cache' })),
      slow(page.clock, 3_000, () => fresh('two')),
    );
    expect(await page.read()).toEqual([200, 'network', 'one']);
    expect(await page.read()).toEqual([200, 'network', 'two']);
  });

  test('a caller that aborts while it waits ends the request, one with a cached response does not', async () => {
    const page = cachePage({ respondAfter: '800ms' });
    let aborted = 0;
    page.origin.replies(fresh('one'));
    page.origin.otherwise((_, signal) => {
      signal.addEventListener('abort', () => aborted++);
      return new Promise((resolve) => page.clock.after(3_000, () => resolve(fresh('two'))));
    });
    await readInto(page);
    const leaving = new AbortController();
    const reason = new Error('mine');
    page.clock.after(100, () => leaving.abort(reason));
    await expect(page.fetch(URL_, { signal: leaving.signal })).rejects.toBe(reason);
    expect(aborted).toBe(1);
    const staying = new AbortController();
    await (await page.fetch(URL_, { signal: staying.signal })).text();
    staying.abort();
    await page.clock.advance(5_000);
    expect(aborted).toBe(1);
    expect((await page.cache.entries()).map(({ storedAt }) => storedAt)).toEqual([page.clock.now() - 2_800]);
  });
});

describe('fetch’s own cache modes', () => {
  test.skipIf(!knows('no-store'))('no-store neither reads nor writes', async () => {
    const page = cachePage({ mode: 'cache-first' });
    page.origin.replies(fresh('one'), fresh('two'), networkError());
    await page.read(URL_, { cache: 'no-store' });
    expect(await page.cache.entries()).toEqual([]);
    await readInto(page);
    await expect(page.fetch(URL_, { cache: 'no-store' })).rejects.toThrow(TypeError);
  });

  test.skipIf(!knows('reload'))('reload sends a request, and keeps the response', async () => {
    const page = cachePage({ mode: 'cache-first', validators: 'own' });
    page.origin.replies(fresh('one', 60, { etag: '"1"' }), fresh('two'), networkError());
    await readInto(page);
    expect((await page.read(URL_, { cache: 'reload' }))[2]).toBe('two');
    expect(page.origin.seen[1]?.headers.has('if-none-match')).toBe(false);
    expect(await page.read()).toEqual([200, 'cache', 'two']);
    await expect(page.fetch(URL_, { cache: 'reload' })).rejects.toThrow(TypeError);
  });

  test.skipIf(!knows('no-cache'))('no-cache revalidates', async () => {
    const page = cachePage({ mode: 'cache-first', validators: 'own' });
    page.origin.replies(fresh('one', 60, { etag: '"1"' }), status(304));
    await readInto(page);
    expect(await page.read(URL_, { cache: 'no-cache' })).toEqual([200, 'cache', 'one']);
    expect(page.origin.seen[1]?.headers.get('if-none-match')).toBe('"1"');
  });

  test.skipIf(!knows('force-cache'))(
    'force-cache takes any cached response, and else the network',
    async () => {
      const page = cachePage();
      page.origin.replies(fresh('one', 0, { 'cache-control': 'max-age=1, must-revalidate' }));
      expect((await page.read(URL_, { cache: 'force-cache' }))[1]).toBe('network');
      await page.clock.advance(365 * 86_400_000);
      expect((await page.read(URL_, { cache: 'force-cache' }))[1]).toBe('stale');
      expect(page.origin.seen).toHaveLength(1);
    },
  );

  test.skipIf(!knows('only-if-cached', 'same-origin'))('only-if-cached sends no request', async () => {
    const page = cachePage();
    const only = { cache: 'only-if-cached', mode: 'same-origin' } as const;
    await expect(page.fetch(URL_, only)).rejects.toThrow(TypeError);
    await readInto(page);
    expect((await page.read(URL_, only))[2]).toBe('ok');
    expect(page.origin.seen).toHaveLength(1);
  });
});

test('a request that wants only a cached response gets 504 where there is none', async () => {
  const page = cachePage();
  const only = { headers: { 'cache-control': 'only-if-cached' } };
  expect((await page.fetch(URL_, only)).status).toBe(504);
  page.origin.replies(fresh('one'));
  await readInto(page);
  expect(await page.read(URL_, only)).toEqual([200, 'cache', 'one']);
  await page.clock.advance(61_000);
  expect((await page.fetch(URL_, only)).status).toBe(504);
  const lenient = { headers: { 'cache-control': 'only-if-cached, max-stale=60' } };
  expect(await page.read(URL_, lenient)).toEqual([200, 'stale', 'one']);
  expect(page.origin.seen).toHaveLength(1);
});

describe('where the origin forbids it, disregard decides', () => {
  test.each(['no-cache', 'must-revalidate'] as const)('%s', async (directive) => {
    const page = cachePage();
    page.origin.replies(fresh('one', 0, { 'cache-control': `max-age=1, ${directive}` }));
    page.origin.otherwise(status(503));
    await readInto(page);
    await page.clock.advance(5_000);
    expect((await page.read())[0]).toBe(503);
    const disregarding = { holdfast: { staleCache: { disregard: [directive] } } };
    expect(await page.read(URL_, disregarding)).toEqual([200, 'stale', 'one']);
  });
});

describe('concurrent reads', () => {
  test.each<CacheMode>(['network-first', 'cache-first', 'stale-while-revalidate'])(
    'of an uncached URL are one request, and one caller’s abort does not abort the others: %s',
    async (mode) => {
      const page = cachePage({ mode });
      page.origin.replies(slow(page.clock, 1_000, () => fresh('one')));
      page.origin.otherwise(status(500));
      const leaving = new AbortController();
      const responses = Array.from({ length: 5 }, (_, n) =>
        page.fetch(URL_, n === 0 ? { signal: leaving.signal } : {}).then((response) => response.text()),
      );
      const outcomes = Promise.allSettled(responses);
      page.clock.after(500, () => leaving.abort());
      expect((await outcomes).map(({ status }) => status)).toEqual([
        'rejected',
        ...Array(4).fill('fulfilled'),
      ]);
      expect(page.origin.seen).toHaveLength(1);
      await page.clock.advance(0);
      expect(await page.cache.entries()).toHaveLength(1);
    },
  );

  test('are not joined with dedupe: false', async () => {
    const page = cachePage();
    page.origin.otherwise(slow(page.clock, 1_000, () => ok()));
    const init = { holdfast: { dedupe: false } };
    await Promise.all([page.fetch(URL_, init), page.fetch(URL_, init)]);
    expect(page.origin.seen).toHaveLength(2);
  });
});

test.each([
  ['a directive', { headers: { range: 'bytes=0-1', 'cache-control': 'only-if-cached' } }],
  ['a mode', { headers: { range: 'bytes=0-1' }, cache: 'only-if-cached', mode: 'same-origin' } as const],
])('a request for a part that wants a cached response only, by %s, sends nothing', async (_, init) => {
  const page = cachePage();
  const status = await page.fetch(URL_, init).then(
    (response) => response.status,
    (error) => error.name,
  );
  expect([504, 'TypeError', 'NetworkError']).toContain(status);
  expect(page.origin.seen).toEqual([]);
});

test('a revalidation in the background uses the fetch of its call', async () => {
  const sent: string[] = [];
  const through = (name: string) => async () => {
    sent.push(name);
    return fresh(name, 0);
  };
  const cache = staleCache({ store: memoryStore(), mode: 'stale-while-revalidate' });
  const client = createClient({ partition: 'ann', staleCache: cache, fetch: through('client') });
  const read = () => client.get(URL_, { fetch: through('call') }).text();
  await read();
  for (let turn = 0; (await cache.usage()).entries === 0; turn++) expect(turn).toBeLessThan(1_000);
  expect(await read()).toBe('call');
  for (let turn = 0; sent.length < 2 && turn < 1_000; turn++) await quiet();
  expect(sent).toEqual(['call', 'call']);
  await client.close();
});

test('a stored redirect is no response to a request that follows', async () => {
  const page = cachePage({ mode: 'cache-first' });
  page.origin.otherwise((request) =>
    request.redirect === 'manual'
      ? new Response(null, { status: 301, headers: { location: '/there', 'cache-control': 'max-age=60' } })
      : fresh('followed'),
  );
  await page.read(URL_, { redirect: 'manual' });
  expect(await page.read()).toEqual([200, 'network', 'followed']);
});

describe('a request for a part is left to the origin', () => {
  const PART = { headers: { range: 'bytes=0-1' } };
  const part = () => new Response('or', { status: 206, headers: { 'content-range': 'bytes 0-1/3' } });

  const rows: [string, Response, RequestInit][] = [
    ['if the stored response is no 200', status(404, { 'cache-control': 'max-age=60' }), {}],
    ['if the request says no-store', fresh('one'), { cache: 'no-store' }],
    ['if the request says reload', fresh('one'), { cache: 'reload' }],
  ];

  test.each(rows.filter(([, , { cache }]) => cache === undefined || knows(cache)))(
    '%s',
    async (_, first, init) => {
      const page = cachePage({ mode: 'cache-first' });
      page.origin.replies(first, part());
      await readInto(page);
      expect((await page.read(URL_, { ...PART, ...init }))[2]).toBe('or');
      expect(page.origin.seen).toHaveLength(2);
    },
  );
});

test('a request for a part is served from an immutable response, in every mode', async () => {
  const page = cachePage();
  page.origin.replies(fresh('one', 60, { 'cache-control': 'max-age=60, immutable' }));
  await readInto(page);
  expect(await page.read(URL_, { headers: { range: 'bytes=0-1' } })).toEqual([206, 'cache', 'on']);
  expect(page.origin.seen).toHaveLength(1);
});

test('a revalidation with a stalled body ends after 2 min, and the next one is sent', async () => {
  const page = cachePage({ mode: 'stale-while-revalidate' });
  const stalled = stalledBody();
  page.origin.replies(fresh('one', 0), stalled.response);
  await readInto(page);
  expect((await page.read())[2]).toBe('one');
  await page.clock.advance(121_000);
  expect(stalled.cancelled()).toBe(true);
  page.origin.replies(fresh('two', 60));
  expect((await page.read())[2]).toBe('one');
  await page.clock.advance(1_000);
  expect((await page.read())[2]).toBe('two');
});
