import { afterEach, describe, expect, test } from 'vitest';
import { sourceOf } from '../../../src/core/outcome.ts';
import type { HoldfastFetch, PipelineOptions } from '../../../src/core/pipeline.ts';
import { breaker } from '../../../src/policies/breaker/breaker.ts';
import { cachePolicy, type StaleCache } from '../../../src/policies/cache/cache.ts';
import type { StaleCacheOptions } from '../../../src/policies/cache/options.ts';
import { attemptTimeout, totalTimeout } from '../../../src/policies/timeout.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { brokenBody, hang, networkError, ok, type Step, stalledBody, status } from '../../../src/testing.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

const open: HoldfastFetch[] = [];
afterEach(async () => {
  for (const fetch of open.splice(0)) await fetch.close();
});

interface Page extends Scenario {
  readonly cache: StaleCache;
  readonly store: FaultyStore;
  /** Status, source and text of a read. */
  read(url?: string, init?: Parameters<HoldfastFetch>[1]): Promise<[number, string, string]>;
}

function page(options: StaleCacheOptions = {}, pipeline: PipelineOptions = { partition: 'ann' }): Page {
  const store = durableStore();
  const cache = cachePolicy({ store, ...options }, memoryStore);
  const scene = scenario([cache, totalTimeout(), breaker({ failures: 50 }), attemptTimeout()], pipeline);
  open.push(scene.fetch);
  return {
    ...scene,
    cache,
    store,
    async read(url = URL_, init) {
      const response = await scene.fetch(url, init);
      const text = await response.text();
      // The cache stores responses in the background.
      await scene.clock.advance(0);
      return [response.status, sourceOf(response), text];
    },
  };
}

const cacheable = (body: string, headers: HeadersInit = {}): Response => new Response(body, { headers });

describe('the last good response', () => {
  test.each<[string, () => Step]>([
    ['a network error', networkError],
    ['a time-out', hang],
    ['500', () => status(500)],
    ['502', () => status(502)],
    ['503', () => status(503)],
    ['504', () => status(504)],
  ])('is served on %s, and says so', async (_, failure) => {
    const { read, fetch, origin, clock, emitted } = page();
    origin.replies(
      cacheable('cached', { 'content-type': 'text/x', 'cache-control': 'max-age=10' }),
      failure(),
    );
    expect(await read()).toEqual([200, 'network', 'cached']);
    await clock.advance(60_000);
    const before = clock.ticks();
    const response = await fetch(URL_);
    const age = 60 + (clock.ticks() - before) / 1000;
    expect(sourceOf(response)).toBe('stale');
    expect(sourceOf(response.clone())).toBe('stale');
    expect(response.headers.get('age')).toBe(String(age));
    expect(response.headers.get('cache-status')).toMatch(
      new RegExp(`^holdfast; fwd=stale(; fwd-status=50\\d)?; ttl=${10 - age}$`),
    );
    expect(response.headers.get('content-type')).toBe('text/x');
    expect(await response.text()).toBe('cached');
    expect(emitted('cache-served')).toMatchObject([{ url: URL_, age }]);
  });

  test('is served behind an open circuit', async () => {
    const circuit = breaker();
    const cache = cachePolicy({ store: memoryStore() }, memoryStore);
    const scene = scenario([cache, circuit], { partition: 'ann' });
    open.push(scene.fetch);
    await (await scene.fetch(URL_)).text();
    await scene.clock.advance(0);
    circuit.isolate(ORIGIN);
    const response = await scene.fetch(URL_);
    expect(sourceOf(response)).toBe('stale');
    // The cache sent no request.
    expect(response.headers.get('cache-status')).toBe('holdfast; hit; ttl=0');
  });

  test('has the source cache while it is fresh', async () => {
    const { read, origin } = page();
    origin.replies(cacheable('cached', { 'cache-control': 'max-age=60' }), networkError());
    await read();
    expect(await read()).toEqual([200, 'cache', 'cached']);
  });

  test.each([400, 401, 403, 404, 410, 429, 501])('is not served on %i', async (code) => {
    const { read, origin } = page();
    origin.replies(cacheable('cached'), status(code));
    await read();
    expect(await read()).toEqual([code, 'network', `status ${code}`]);
  });

  test('is not served to a caller that aborted', async () => {
    const { read, fetch, origin } = page();
    origin.replies(cacheable('cached'), hang());
    await read();
    const controller = new AbortController();
    const reason = new Error('mine');
    const reading = fetch(URL_, { signal: controller.signal });
    controller.abort(reason);
    await expect(reading).rejects.toBe(reason);
  });

  test.each<[string, RequestInit]>([
    ['cache: no-store', { cache: 'no-store' }],
    ['cache: reload', { cache: 'reload' }],
    ['Cache-Control: no-cache', { headers: { 'cache-control': 'no-cache' } }],
    ['a range', { headers: { range: 'bytes=0-1' } }],
    ['a condition of its own', { headers: { 'if-none-match': '"x"' } }],
  ])('is not served against %s', async (_, init) => {
    let request: Request | undefined;
    try {
      request = new Request(URL_, init);
    } catch {
      return; // A runtime without this mode rejects it by itself.
    }
    if (init.cache && request.cache !== init.cache) return;
    const { read, fetch, origin } = page();
    origin.replies(cacheable('cached'), networkError());
    await read();
    await expect(fetch(URL_, init)).rejects.toThrow(TypeError);
  });

  test.each(['must-revalidate', 'no-cache', 'stale-if-error=30, max-age=10', 'stale-if-error=0'])(
    'is not served where the origin forbids it: %s',
    async (directive) => {
      const { read, fetch, origin, clock } = page();
      origin.replies(cacheable('cached', { 'cache-control': directive }), networkError());
      await read();
      await clock.advance(41_000);
      await expect(fetch(URL_)).rejects.toThrow(TypeError);
    },
  );

  test('is served for seven days, or as long as the application says', async () => {
    const { read, fetch, origin, clock } = page();
    origin.replies(cacheable('cached'), networkError(), networkError(), networkError());
    await read();
    await clock.advance(7 * 86_400_000);
    await expect(fetch(URL_, { holdfast: { staleCache: { maxStale: '1d' } } })).rejects.toThrow(TypeError);
    expect(await read()).toEqual([200, 'stale', 'cached']);
    await clock.advance(1_000);
    await expect(fetch(URL_)).rejects.toThrow(TypeError);
  });

  test('keeps url, type and redirected, in clones as well', async () => {
    const { read, fetch, origin } = page();
    const first = Object.defineProperties(cacheable('cached'), {
      url: { value: `${URL_}/moved` },
      redirected: { value: true },
      type: { value: 'cors' },
    });
    origin.replies(first, networkError());
    await read();
    const response = await fetch(URL_);
    for (const each of [response, response.clone(), response.clone().clone()]) {
      expect([each.url, each.redirected, each.type, each.ok]).toEqual([`${URL_}/moved`, true, 'cors', true]);
      expect(each).toBeInstanceOf(Response);
      expect(await each.clone().text()).toBe('cached');
    }
  });

  test('is the latest one, and is not served after it was deleted', async () => {
    const { read, fetch, origin } = page();
    origin.replies(cacheable('one'), cacheable('two'), networkError(), status(404), networkError());
    await read();
    await read();
    expect(await read()).toEqual([200, 'stale', 'two']);
    expect((await read())[0]).toBe(404);
    await expect(fetch(URL_)).rejects.toThrow(TypeError);
  });

  test('is deleted with the resource', async () => {
    const { read, fetch, origin } = page();
    origin.replies(cacheable('one'), ok(), networkError());
    await read();
    await fetch(URL_, { method: 'DELETE' });
    await expect(fetch(URL_)).rejects.toThrow(TypeError);
  });

  test('is of the same variant', async () => {
    const { read, fetch, origin } = page();
    const speaking = (language: string) => ({ headers: { 'accept-language': language } });
    origin.replies(
      cacheable('hello', { vary: 'Accept-Language' }),
      cacheable('hallo', { vary: 'accept-language' }),
    );
    origin.otherwise(networkError());
    await read(URL_, speaking('en'));
    await read(URL_, speaking('de'));
    expect(await read(URL_, speaking('en'))).toEqual([200, 'stale', 'hello']);
    expect(await read(URL_, speaking('de'))).toEqual([200, 'stale', 'hallo']);
    await expect(fetch(URL_, speaking('fr'))).rejects.toThrow(TypeError);
  });

  test('cancels the body of the response that it stands in for', async () => {
    const { read, origin } = page();
    const { response, cancelled } = stalledBody();
    origin.replies(cacheable('cached'), new Response(response.body, { status: 503 }));
    await read();
    await read();
    expect(cancelled()).toBe(true);
  });
});

describe('never stored', () => {
  test.each<[string, () => Response]>([
    ['no-store', () => cacheable('x', { 'cache-control': 'private, No-Store' })],
    ['Vary: *', () => cacheable('x', { vary: '*' })],
    ['206', () => new Response('x', { status: 206 })],
    ['404', () => status(404)],
    ['an opaque response', () => Object.defineProperty(cacheable('x'), 'type', { value: 'opaque' })],
    ['a body that is too large', () => cacheable('x'.repeat(101))],
  ])('%s', async (_, response) => {
    const { read, store, origin } = page({ maxEntryBytes: 100 });
    origin.replies(response());
    await read();
    expect(await store.range({ prefix: 'response ' })).toEqual([]);
  });

  test('a body that broke off, was cancelled, or is not read', async () => {
    const { fetch, origin, store, clock } = page();
    origin.replies(brokenBody(), stalledBody().response, ok());
    await expect((await fetch(URL_)).text()).rejects.toThrow();
    await (await fetch(URL_)).body?.cancel();
    await fetch(URL_);
    await clock.advance(0);
    expect(await store.range({ prefix: 'response ' })).toEqual([]);
  });

  test('cookies', async () => {
    const { read, store, origin } = page();
    const headers = new Headers({ 'x-kept': 'yes' });
    headers.append('set-cookie', 'session=secret');
    origin.replies(new Response('cached', { headers }));
    await read();
    const stored = JSON.stringify(await store.range({}));
    expect(stored).toContain('x-kept');
    expect(stored).not.toContain('secret');
  });
});

describe('partitions', () => {
  test('no user sees the cached response of another', async () => {
    let user = 'ann';
    const { read, fetch, origin } = page({}, { partition: () => user });
    origin.replies(cacheable('ann’s'));
    origin.otherwise(networkError());
    await read();
    expect(await read()).toEqual([200, 'stale', 'ann’s']);
    for (user of ['bob', 'an', 'ann ', 'ann%20']) await expect(fetch(URL_)).rejects.toThrow(TypeError);
  });

  test('clear deletes one, or all', async () => {
    let user = 'ann';
    const { read, fetch, origin, cache } = page({}, { partition: () => user });
    await read();
    user = 'bob';
    await read();
    origin.otherwise(networkError());
    expect(await cache.clear({ partition: 'ann' })).toBe(1);
    expect((await read())[1]).toBe('stale');
    expect(await cache.clear()).toBe(1);
    await expect(fetch(URL_)).rejects.toThrow(TypeError);
  });
});

describe('limits', () => {
  test('the least recently used is evicted first, by number', async () => {
    const { read, fetch, origin, clock, emitted } = page({ maxEntries: 2 });
    await read(`${URL_}/1`);
    await clock.advance(100_000);
    await read(`${URL_}/2`);
    await clock.advance(100_000);
    origin.replies(networkError());
    expect((await read(`${URL_}/1`))[1]).toBe('stale');
    await clock.advance(100_000);
    await read(`${URL_}/3`);
    origin.otherwise(networkError());
    expect((await read(`${URL_}/1`))[1]).toBe('stale');
    expect((await read(`${URL_}/3`))[1]).toBe('stale');
    await expect(fetch(`${URL_}/2`)).rejects.toThrow(TypeError);
    expect(emitted('cache-evicted')).toMatchObject([{ entries: 1, bytes: 2 }]);
  });

  test('the least recently used is evicted first, by bytes', async () => {
    const { read, cache, origin, clock } = page({ maxBytes: '250B' });
    origin.otherwise(() => cacheable('x'.repeat(100)));
    for (let n = 0; n < 5; n++) {
      await read(`${URL_}/${n}`);
      await clock.advance(1_000);
    }
    expect((await cache.entries()).map(({ url }) => url)).toEqual([`${URL_}/3`, `${URL_}/4`]);
    expect(await cache.usage()).toEqual({ entries: 2, bytes: 200 });
  });
});

describe('a store that', () => {
  test('fails does not fail a read', async () => {
    const { read, store, origin, emitted } = page({ validators: 'platform' });
    store.break('fail');
    expect(await read()).toEqual([200, 'network', 'ok']);
    origin.replies(status(503), networkError());
    expect((await read())[0]).toBe(503);
    await expect(read()).rejects.toMatchObject({ code: 'network' });
    expect(emitted('store-failed').map(({ operation }) => operation)).toEqual(['keep', 'find', 'find']);
  });

  test('hangs does not hang a read', async () => {
    const { read, store, origin } = page({ memory: false });
    await read();
    store.break('hang');
    expect(await read()).toEqual([200, 'network', 'ok']);
    origin.replies(status(503));
    expect((await read())[0]).toBe(503);
  });
});

test.each([
  [{ maxStale: '7 d' }, /staleCache\.maxStale: '7 d' is not allowed; did you mean '7d'\?/],
  [{ maxEntries: 0 }, /staleCache\.maxEntries: 0/],
  [{ maxBytes: '50 MB' }, /staleCache\.maxBytes: '50 MB' is not allowed; did you mean '50MB'\?/],
  [{ ttl: 1 }, /staleCache\.ttl: 1 is not allowed; unknown option/],
])('an invalid option is rejected with a reason: %j', (options, message) => {
  expect(() => page(options as never)).toThrow(message);
});
