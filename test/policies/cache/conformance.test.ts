/**
 * The promises of `docs/http-caching.md` that only the whole policy can show; the rules alone are
 * in `test/http`.
 */
import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../../src/core/outcome.ts';
import type { CacheMode, StaleCacheOptions } from '../../../src/policies/cache/options.ts';
import { hang, networkError, ok, slow, status } from '../../../src/testing.ts';
import { type CachePage, cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { quiet } from '../../support/platform.ts';

const asked = (field: string) => ({ headers: { 'cache-control': field } });
const notModified = (headers: Record<string, string> = {}): Response =>
  new Response(null, { status: 304, headers });
const body = (text: string, headers: Record<string, string> = {}): Response =>
  new Response(text, { headers });
const dated = (ms: number): string => new Date(ms).toUTCString();

const facts = (response: Response, own: Partial<Response>): Response => {
  for (const [name, value] of Object.entries(own)) Object.defineProperty(response, name, { value });
  return response;
};

const own = (mode: CacheMode = 'cache-first', more: StaleCacheOptions = {}): CachePage =>
  cachePage({ mode, validators: 'own', ...more });

/** A page that has read its first response. */
async function holding(
  first: Response,
  mode: CacheMode = 'cache-first',
  more: StaleCacheOptions = {},
): Promise<CachePage> {
  const page = own(mode, more);
  page.origin.replies(first);
  await page.read();
  return page;
}

/** The text of the cached response for the URL while the origin is away; undefined without one. */
async function kept({ read, origin }: CachePage): Promise<string | undefined> {
  origin.replies(networkError());
  return read().then(
    ([, , text]) => text,
    () => undefined,
  );
}

const requests = ({ origin }: CachePage): number => origin.seen.length;
const conditions = ({ origin }: CachePage, nth: number): (string | null | undefined)[] =>
  ['if-none-match', 'if-modified-since'].map((name) => origin.seen[nth]?.headers.get(name));

const NONE = [null, null];
const MODIFIED = 'Thu, 01 Jan 2015 00:00:00 GMT';
const VALIDATORS = { etag: '"1"', 'last-modified': MODIFIED };

describe('what is stored', () => {
  test('is the response’s own header, and no Date that it does not have', async () => {
    const page = await holding(fresh('one', 60, { 'x-unknown': 'a', warning: '110 - "stale"' }));
    const { headers } = await page.fetch(URL_);
    expect(headers.get('x-unknown')).toBe('a');
    expect(headers.get('warning')).toBe('110 - "stale"');
    expect(headers.has('date')).toBe(false);
  });

  test('is no response to a request with no-store', async () => {
    const page = own();
    page.origin.replies(fresh('one'));
    await page.read(URL_, asked('no-store'));
    expect(await page.cache.entries()).toEqual([]);
    page.origin.replies(fresh('two'), fresh('three'));
    await page.read();
    expect((await page.read(URL_, asked('no-store')))[2]).toBe('three');
    expect((await page.read())[2]).toBe('two');
  });

  test.each<[string, Record<string, string>]>([
    ['no-store', { 'cache-control': 'no-store' }],
    ['Vary: *', { vary: '*' }],
  ])('is deleted by a response that may not be stored: %s', async (_, headers) => {
    const page = await holding(body('one'));
    page.origin.replies(body('two', headers));
    await page.read();
    expect(await kept(page)).toBeUndefined();
  });

  test('a Vary that names no field fails no read', async () => {
    const page = own();
    page.origin.replies(fresh('one', 60, { vary: 'accept language' }));
    expect((await page.read())[2]).toBe('one');
  });

  test('a redirected response is stored under the URL of the request, and only stands in', async () => {
    const moved = facts(fresh('one'), { redirected: true, url: `${URL_}/moved` });
    const page = await holding(moved);
    page.origin.replies(networkError());
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    expect(requests(page)).toBe(2);
    await expect(page.fetch(`${URL_}/moved`, asked('only-if-cached'))).resolves.toMatchObject({
      status: 504,
    });
  });

  test('a redirected response of another origin is not', async () => {
    const portal = facts(fresh('sign in'), { redirected: true, url: 'https://portal.example/' });
    expect(await (await holding(portal)).cache.entries()).toEqual([]);
  });

  test('a response to a condition or a range of the caller’s is not', async () => {
    const page = own();
    for (const name of ['range', 'if-match', 'if-none-match', 'if-modified-since', 'if-unmodified-since']) {
      page.origin.replies(fresh('one'));
      await page.read(URL_, { headers: { [name]: 'x' } });
      expect(page.origin.seen.at(-1)?.headers.get(name)).toBe('x');
    }
    expect(await page.cache.entries()).toEqual([]);
  });
});

describe('a cached response', () => {
  test('of a GET serves a HEAD, without the body', async () => {
    const page = await holding(fresh('one', 60, { 'x-a': 'b' }));
    const response = await page.fetch(URL_, { method: 'HEAD' });
    expect([response.headers.get('x-a'), await response.text(), requests(page)]).toEqual(['b', '', 1]);
  });

  test.each(['POST', 'PUT', 'OPTIONS', 'PROPPATCH'])('of a GET serves no %s', async (method) => {
    const page = await holding(fresh('one'));
    page.origin.replies(ok('from the origin'));
    expect((await page.read(URL_, { method }))[2]).toBe('from the origin');
    expect(page.origin.seen[1]?.method).toBe(method);
  });

  test('has an Age in place of the stored one, in whole seconds', async () => {
    const page = await holding(fresh('one', 600, { age: '100' }));
    await page.clock.advance(1_999);
    expect((await page.fetch(URL_)).headers.get('age')).toBe('101');
  });

  test('is the most recent by Date, in any order of arrival', async () => {
    const page = own();
    const now = page.clock.now();
    const variant = (text: string, name: string, age: number): Response =>
      fresh(text, 600, { vary: name, date: dated(now - age) });
    page.origin.replies(variant('recent', 'x-a', 1_000), variant('older', 'x-b', 100_000));
    await page.read(URL_, { headers: { 'x-a': '1' } });
    await page.clock.advance(5_000);
    await page.read(URL_, { headers: { 'x-b': '1' } });
    const both = { headers: { 'x-a': '1', 'x-b': '1' } };
    expect((await page.read(URL_, both))[2]).toBe('recent');
  });

  test('is the most recent by Date of two that were under way at once', async () => {
    const page = own();
    const began = page.clock.now();
    const version = (text: string, at: number) => () => fresh(text, 600, { date: dated(began + at) });
    page.origin.replies(slow(page.clock, 9_000, version('older', 0)), version('recent', 5_000));
    const early = page.read();
    page.clock.after(5_000, () => void page.read(URL_, { holdfast: { dedupe: false } }));
    expect((await early)[2]).toBe('older');
    expect(await page.read()).toEqual([200, 'cache', 'recent']);
  });

  test('with a Vary goes before one that was stored without Vary', async () => {
    const page = own();
    page.origin.replies(fresh('with', 600, { vary: 'x-a' }), fresh('without', 600));
    await page.read(URL_, { headers: { 'x-a': '1' } });
    await page.clock.advance(5_000);
    await page.read(URL_, { headers: { 'x-a': '2' } });
    expect((await page.read(URL_, { headers: { 'x-a': '1' } }))[2]).toBe('with');
    expect((await page.read(URL_, { headers: { 'x-a': '3' } }))[2]).toBe('without');
  });

  test('varies by the application’s vary option as well', async () => {
    const page = cachePage({ mode: 'cache-first', vary: ['x-a'] });
    page.origin.replies(fresh('one'), fresh('two'));
    await page.read(URL_, { headers: { 'x-a': '1' } });
    expect((await page.read(URL_, { headers: { 'x-a': '2' } }))[2]).toBe('two');
    expect((await page.read(URL_, { headers: { 'x-a': '1' } }))[2]).toBe('one');
  });

  test.each<CacheMode>(['network-first', 'cache-first', 'stale-while-revalidate'])(
    'that is immutable is not revalidated while it is fresh, and is when it is stale: %s',
    async (mode) => {
      const page = await holding(fresh('one', 60, { 'cache-control': 'max-age=60, immutable' }), mode);
      await page.read();
      expect(requests(page)).toBe(1);
      await page.clock.advance(60_000);
      await page.read();
      expect(requests(page)).toBe(2);
    },
  );

  test('that is immutable is revalidated if the user insists, or it did not come by https', async () => {
    const immutable = () => fresh('one', 60, { 'cache-control': 'max-age=60, immutable' });
    const page = await holding(immutable(), 'network-first');
    await page.read(URL_, asked('no-cache'));
    expect(requests(page)).toBe(2);
    page.origin.otherwise(immutable);
    for (let n = 0; n < 2; n++) await page.read(URL_.replace('https:', 'http:'));
    expect(requests(page)).toBe(4);
  });
});

describe('what a request says', () => {
  const ages = async (field: string, age: number, said: string): Promise<number> => {
    const page = await holding(body('one', { 'cache-control': said }));
    await page.clock.advance(age * 1000);
    await page.read(URL_, asked(field));
    return requests(page) - 1;
  };

  test.each<[title: string, asked: string, age: number, requests: number, said: string]>([
    ['max-age: young enough', 'max-age=10', 10, 0, 'max-age=60'],
    ['max-age: too old', 'max-age=10', 11, 1, 'max-age=60'],
    ['min-fresh: for long enough', 'min-fresh=10', 50, 0, 'max-age=60'],
    ['min-fresh: not for long enough', 'min-fresh=10', 51, 1, 'max-age=60'],
    ['max-stale: not too stale', 'max-stale=10', 70, 0, 'max-age=60'],
    ['max-stale: too stale', 'max-stale=10', 71, 1, 'max-age=60'],
    ['max-stale without limit', 'max-stale', 600_000, 0, 'max-age=60'],
    ['max-stale against must-revalidate', 'max-stale', 61, 1, 'max-age=60, must-revalidate'],
    ['no-cache', 'no-cache', 1, 1, 'max-age=60'],
  ])('%s', async (_, field, age, expected, said) => {
    expect(await ages(field, age, said)).toBe(expected);
  });

  test('max-age and min-fresh: a cached response stands in if there is no response', async () => {
    const page = await holding(fresh('one'));
    await page.clock.advance(50_000);
    page.origin.otherwise(networkError());
    expect((await page.read(URL_, asked('max-age=10')))[2]).toBe('one');
    expect((await page.read(URL_, asked('min-fresh=30')))[2]).toBe('one');
    await expect(page.fetch(URL_, asked('no-cache'))).rejects.toThrow(TypeError);
  });

  test('Pragma: no-cache, where there is no Cache-Control', async () => {
    const page = await holding(fresh('one'));
    page.origin.replies(fresh('two'));
    await page.read(URL_, { headers: { pragma: 'no-cache' } });
    expect(requests(page)).toBe(2);
    await page.read(URL_, { headers: { pragma: 'no-cache', 'cache-control': 'max-age=60' } });
    expect(requests(page)).toBe(2);
  });

  test('stale-if-error is for that request', async () => {
    const page = await holding(body('one'));
    await page.clock.advance(3_600_000);
    page.origin.otherwise(networkError());
    await expect(page.fetch(URL_, asked('stale-if-error=60'))).rejects.toThrow(TypeError);
    expect((await page.read())[1]).toBe('stale');
    await page.clock.advance(30 * 86_400_000);
    await expect(page.fetch(URL_)).rejects.toThrow(TypeError);
    expect((await page.read(URL_, asked('stale-if-error=9999999')))[1]).toBe('stale');
  });

  test('goes to the origin unchanged', async () => {
    const page = await holding(body('one'));
    await page.read(URL_, asked('max-age=0, no-transform'));
    expect(page.origin.seen[1]?.headers.get('cache-control')).toBe('max-age=0, no-transform');
  });
});

describe('a stale response', () => {
  test('is revalidated in the foreground past stale-while-revalidate', async () => {
    const page = await holding(body('one', { 'cache-control': 'max-age=10, stale-while-revalidate=10' }));
    await page.clock.advance(19_000);
    page.origin.replies(body('two', { 'cache-control': 'no-store' }));
    const response = await page.fetch(URL_);
    expect([sourceOf(response), await response.text()]).toEqual(['stale', 'one']);
    expect(response.headers.get('age')).toBe('19');
    expect(response.headers.get('cache-status')).toBe('holdfast; hit; ttl=-9');
    await page.clock.advance(1_000);
    page.origin.replies(body('three'));
    expect((await page.read())[2]).toBe('three');
  });

  test('is revalidated only because of a read', async () => {
    const page = await holding(fresh('one', 10), 'stale-while-revalidate');
    await page.clock.advance(86_400_000);
    expect(requests(page)).toBe(1);
    await page.read();
    expect(requests(page)).toBe(2);
  });

  test('that is revalidated in the background does not change, and the request ends with the client', async () => {
    const page = await holding(fresh('one', 10), 'stale-while-revalidate');
    await page.clock.advance(11_000);
    let ended = false;
    page.origin.replies((_, signal) => {
      signal.addEventListener('abort', () => {
        ended = true;
      });
      return new Promise(() => {});
    });
    const response = await page.fetch(URL_);
    // Time stands still, so that no limit aborts the request.
    const ending = page.clock.busy(quiet().then(() => expect(ended).toBe(false)));
    expect(await response.text()).toBe('one');
    await ending;
    await page.fetch.close();
    expect(ended).toBe(true);
  });

  test('is an error where it must be validated and the origin cannot be reached', async () => {
    const page = await holding(body('one', { 'cache-control': 'max-age=1, must-revalidate' }));
    await page.clock.advance(2_000);
    page.origin.replies(networkError(), hang(), status(503));
    await expect(page.fetch(URL_)).rejects.toThrow(TypeError);
    await expect(page.fetch(URL_)).rejects.toMatchObject({ category: 'timeout' });
    expect((await page.fetch(URL_)).status).toBe(503);
  });
});

describe('validation', () => {
  test.each<[string, Record<string, string>, (string | null)[]]>([
    ['the tag', { etag: 'W/"1"' }, ['W/"1"', null]],
    ['the date', { 'last-modified': MODIFIED }, [null, MODIFIED]],
    ['both', VALIDATORS, ['"1"', MODIFIED]],
    ['neither, where there is neither', {}, NONE],
  ])('sends %s', async (_, headers, expected) => {
    const page = await holding(fresh('one', 0, headers));
    await page.read();
    expect(conditions(page, 1)).toEqual(expected);
  });

  test.each<CacheMode>(['cache-first', 'stale-while-revalidate'])(
    'starts from the request at hand, of the cached response that fits it: %s',
    async (mode) => {
      const page = own(mode);
      const variant = (tag: string): Response => fresh(tag, 0, { etag: `"${tag}"`, vary: 'x-a' });
      page.origin.replies(variant('1'), variant('2'));
      for (const value of ['1', '2']) await page.read(URL_, { headers: { 'x-a': value } });
      await page.read(URL_, { headers: { 'x-a': '1', 'x-b': 'at hand' } });
      const { headers } = page.origin.seen[2] as { headers: Headers };
      expect(['x-a', 'x-b', 'if-none-match'].map((name) => headers.get(name))).toEqual([
        '1',
        'at hand',
        '"1"',
      ]);
    },
  );

  test('is left to the platform with validators: platform', async () => {
    const page = cachePage({ mode: 'cache-first', validators: 'platform' });
    const caches: (RequestCache | undefined)[] = [];
    page.origin.otherwise(({ cache }) => {
      caches.push(cache);
      return fresh('one', 0, VALIDATORS);
    });
    await page.read();
    await page.read();
    expect(conditions(page, 1)).toEqual(NONE);
    const { cache } = new Request(URL_);
    expect(caches).toEqual([cache, cache === undefined ? cache : 'no-cache']);
  });

  test('that confirms serves the cached response with its new header', async () => {
    const page = await holding(fresh('one', 10, { ...VALIDATORS, 'x-a': 'old', age: '5' }));
    await page.clock.advance(11_000);
    page.origin.replies(
      notModified({ etag: '"1"', 'cache-control': 'max-age=60', 'x-a': 'new', 'x-b': 'b' }),
    );
    const response = await page.fetch(URL_);
    expect([response.status, sourceOf(response), await response.text()]).toEqual([200, 'cache', 'one']);
    const headers = ['x-a', 'x-b', 'etag', 'age'].map((name) => response.headers.get(name));
    expect(headers).toEqual(['new', 'b', '"1"', null]);
    expect(response.headers.get('cache-status')).toMatch(/^holdfast; fwd=\w+; fwd-status=304; ttl=60$/);
    await page.clock.advance(59_000);
    const later = await page.fetch(URL_);
    expect([requests(page), later.headers.get('age'), later.headers.get('x-a')]).toEqual([2, '59', 'new']);
  });

  test('that brings a whole response serves and stores it', async () => {
    const page = await holding(fresh('one', 0, VALIDATORS));
    page.origin.replies(fresh('two', 60));
    expect(await page.read()).toEqual([200, 'network', 'two']);
    expect(await page.read()).toEqual([200, 'cache', 'two']);
  });

  test.each<[string, Record<string, string>]>([
    ['with another tag', { etag: '"2"' }],
    ['with another date', { 'last-modified': 'Thu, 01 Jan 2016 00:00:00 GMT' }],
    ['of another type', { 'content-type': 'x/y' }],
    ['that varies by what was not known', { vary: 'x-new' }],
  ])('by a 304 %s repeats the request without conditions', async (_, headers) => {
    const page = await holding(fresh('one', 0, { ...VALIDATORS, 'content-type': 'a/b' }));
    page.origin.replies(notModified(headers), fresh('two', 60));
    expect(await page.read()).toEqual([200, 'network', 'two']);
    expect(conditions(page, 2)).toEqual(NONE);
    expect((await page.read())[2]).toBe('two');
  });

  test('by a 304 of where a redirect led repeats the request without conditions', async () => {
    const page = await holding(fresh('one', 0, VALIDATORS));
    const moved = facts(notModified(VALIDATORS), { redirected: true, url: `${URL_}/moved` });
    page.origin.replies(moved, fresh('two', 60));
    expect(await page.read()).toEqual([200, 'network', 'two']);
    expect(conditions(page, 2)).toEqual(NONE);
  });

  test.each<[string, Record<string, string>]>([
    ['that is bare', {}],
    ['with the same tag, weak', { etag: 'W/"1"' }],
  ])('by a 304 %s confirms', async (_, headers) => {
    const page = await holding(fresh('one', 0, VALIDATORS));
    page.origin.replies(notModified(headers));
    expect(await page.read()).toEqual([200, 'cache', 'one']);
  });

  test('by a 304 that says no-store deletes the cached response', async () => {
    const page = await holding(fresh('one', 0, VALIDATORS));
    page.origin.replies(notModified({ 'cache-control': 'no-store' }));
    expect((await page.read())[2]).toBe('one');
    expect(await page.cache.entries()).toEqual([]);
  });

  test('of a redirected response has no conditions', async () => {
    const page = await holding(
      facts(fresh('one', 60, VALIDATORS), { redirected: true, url: `${URL_}/moved` }),
    );
    await page.read();
    expect(conditions(page, 1)).toEqual(NONE);
  });

  test.each([
    [500, 'one'],
    [503, 'one'],
    [501, 'status 501'],
  ])('that ends in %i gives %s', async (code, expected) => {
    const page = await holding(fresh('one', 0, VALIDATORS));
    page.origin.replies(status(code));
    expect((await page.read())[2]).toBe(expected);
  });
});

describe('a HEAD', () => {
  /** Reads by HEAD from the origin, and then returns how many requests a GET makes. */
  const afterHead = async (headers: Record<string, string>, code = 200): Promise<[CachePage, number]> => {
    const page = await holding(fresh('one', 60, { ...VALIDATORS, 'content-length': '3' }));
    page.origin.replies(new Response(null, { status: code, headers }));
    await page.read(URL_, { method: 'HEAD', ...asked('no-cache') });
    const before = requests(page);
    await kept(page);
    return [page, requests(page) - before];
  };

  test('with the same validators makes the cached response fresh, with its fields', async () => {
    const [page] = await afterHead({ etag: '"1"', 'cache-control': 'max-age=600', 'x-a': 'new' });
    await page.clock.advance(599_000);
    const response = await page.fetch(URL_);
    expect([sourceOf(response), response.headers.get('x-a'), await response.text()]).toEqual([
      'cache',
      'new',
      'one',
    ]);
  });

  test.each<[string, Record<string, string>, number]>([
    ['another tag', { etag: '"2"' }, 1],
    ['another date', { 'last-modified': 'Thu, 01 Jan 2016 00:00:00 GMT' }, 1],
    ['another length', { etag: '"1"', 'content-length': '4' }, 1],
    ['nothing of it', { 'x-a': 'b' }, 0],
  ])('that says %s', async (_, headers, expected) => {
    expect((await afterHead(headers))[1]).toBe(expected);
  });

  test('that says no-store deletes the cached response', async () => {
    const [page] = await afterHead({ etag: '"1"', 'cache-control': 'no-store' });
    expect(await page.cache.entries()).toEqual([]);
  });

  test('that is no 200 says nothing', async () => {
    expect((await afterHead({ etag: '"2"' }, 403))[1]).toBe(0);
  });
});

describe('a write', () => {
  /** @returns the result of a read without a request: undefined if the cached response is invalid. */
  const written = async (response: Response, url = URL_, method = 'POST'): Promise<string | undefined> => {
    const page = await holding(fresh('one', 3_600));
    page.origin.replies(response);
    await page.read(url, { method });
    const [code, , body] = await page.read(URL_, asked('only-if-cached'));
    return code === 200 ? body : undefined;
  };

  test.each(['POST', 'PUT', 'PATCH', 'DELETE', 'PROPPATCH'])(
    'by %s invalidates the cached responses',
    async (method) => {
      expect(await written(ok(), URL_, method)).toBeUndefined();
    },
  );

  const afterWrite = async (init: RequestInit, first = fresh('one', 3_600), options = {}) => {
    const page = await holding(first, 'cache-first', options);
    page.origin.replies(ok());
    await page.read(URL_, init);
    return page;
  };

  test('leaves cached responses that stand in where the origin fails, are never fresh, and are replaced by its response', async () => {
    const page = await afterWrite({ method: 'PUT' });
    page.origin.replies(networkError(), status(503), fresh('two', 3_600));
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    expect(await page.read()).toEqual([200, 'network', 'two']);
    expect(await page.read()).toEqual([200, 'cache', 'two']);
  });

  test('leaves cached responses that are served for no 4xx and no silence of the origin', async () => {
    const page = await afterWrite({ method: 'PUT' });
    page.origin.replies(status(404));
    expect((await page.read())[0]).toBe(404);
    const silent = await afterWrite({ method: 'PUT' });
    silent.origin.replies(slow(silent.clock, 6_000, () => fresh('two')));
    expect((await silent.read())[2]).toBe('two');
  });

  test('by DELETE leaves no cached responses', async () => {
    const page = await afterWrite({ method: 'DELETE' });
    expect(await page.cache.entries()).toEqual([]);
  });

  test('leaves no cached responses with invalidated: drop', async () => {
    const page = await afterWrite({ method: 'PUT' }, fresh('one', 3_600), { invalidated: 'drop' });
    expect(await page.cache.entries()).toEqual([]);
  });

  test.each(['no-cache', 'must-revalidate'])(
    'leaves a cached response that says %s for nothing',
    async (word) => {
      const page = await afterWrite({ method: 'PUT' }, fresh('one', 3_600, { 'cache-control': word }));
      page.origin.replies(status(503));
      expect((await page.read())[0]).toBe(503);
    },
  );

  test.each(['POST', 'GET', 'HEAD'])(
    'a response to %s with Clear-Site-Data leaves nothing of this user',
    async (method) => {
      const page = await holding(fresh('one', 3_600));
      page.origin.replies(
        fresh('other', 60),
        ok('', { headers: { 'clear-site-data': '"cache", "cookies"', 'cache-control': 'no-store' } }),
      );
      await page.read(`${URL_}/other`);
      await page.read(`${URL_}/sign-out`, { method });
      expect(await page.cache.entries()).toEqual([]);
    },
  );

  test('leaves a response requested before it to stand in, and never fresh', async () => {
    const page = await holding(fresh('one', 3_600), 'cache-first');
    page.origin.replies(
      slow(page.clock, 1_000, () => fresh('old', 3_600)),
      ok(),
    );
    const early = page.read(URL_, { cache: 'no-cache' });
    await page.clock.advance(10);
    await page.read(URL_, { method: 'PUT' });
    await early;
    page.origin.replies(networkError());
    expect(await page.read()).toEqual([200, 'stale', 'old']);
  });

  test('leaves the first response of a URL to stand in, if it was requested before', async () => {
    const page = cachePage();
    page.origin.replies(
      slow(page.clock, 1_000, () => fresh('first', 3_600)),
      ok(),
    );
    const early = page.read();
    await page.clock.advance(10);
    await page.read(URL_, { method: 'POST' });
    await early;
    page.origin.replies(networkError());
    expect(await page.read()).toEqual([200, 'stale', 'first']);
  });

  test('leaves no response requested before it, if it was a DELETE', async () => {
    const page = await holding(fresh('one', 3_600));
    page.origin.replies(
      slow(page.clock, 1_000, () => fresh('old', 3_600)),
      ok(),
    );
    const early = page.read(URL_, { cache: 'no-cache' });
    await page.clock.advance(10);
    await page.read(URL_, { method: 'DELETE' });
    await early;
    expect(await page.cache.entries()).toEqual([]);
  });

  test.each(['OPTIONS', 'QUERY'])('is none by %s', async (method) => {
    expect(await written(ok(), URL_, method)).toBe('one');
  });

  test.each([
    [200, undefined],
    [201, undefined],
    [204, undefined],
    [400, 'one'],
    [404, 'one'],
    [409, 'one'],
  ])('with the response %i leaves %s', async (code, expected) => {
    expect(await written(status(code))).toBe(expected);
  });

  test.each([301, 303])('with the response %i invalidates the cached responses', async (code) => {
    expect(await written(status(code))).toBeUndefined();
  });

  test('with a hidden response invalidates the cached responses', async () => {
    expect(await written(facts(ok(), { type: 'opaque', status: 0, ok: false }))).toBeUndefined();
  });

  test.each<[string, Record<string, string>, string | undefined]>([
    ['Location', { location: URL_ }, undefined],
    ['Content-Location', { 'content-location': '/orders' }, undefined],
    ['nothing', {}, 'one'],
  ])(
    'elsewhere invalidates the cached responses of the URLs that it names: %s',
    async (_, headers, expected) => {
      expect(await written(status(201, headers), `${URL_}/all`)).toBe(expected);
    },
  );

  test('elsewhere invalidates no cached responses of another origin', async () => {
    expect(await written(status(201, { location: URL_ }), 'https://else.example/orders')).toBe('one');
  });

  test('invalidates the cached responses of the URL of its redirect', async () => {
    expect(
      await written(facts(ok(), { redirected: true, url: URL_ }), 'https://else.example/'),
    ).toBeUndefined();
  });

  test('invalidates all variants, with a fragment or not', async () => {
    const page = own();
    page.origin.replies(fresh('one', 60, { vary: 'x-a' }), fresh('two', 60, { vary: 'x-a' }));
    for (const value of ['1', '2']) await page.read(URL_, { headers: { 'x-a': value } });
    await page.read(`${URL_}#top`, { method: 'DELETE' });
    expect(await page.cache.entries()).toEqual([]);
  });

  test.each<[string, () => Response | Error]>([
    ['whose response was lost', networkError],
    ['with the response 408', () => status(408)],
    ['with the response 503', () => status(503)],
  ])('%s makes the cached responses stale: they only stand in', async (_, response) => {
    const page = await holding(fresh('one', 3_600));
    page.origin.replies(response(), networkError(), fresh('two', 3_600));
    await page.read(URL_, { method: 'PUT' }).catch(() => {});
    expect(await page.read()).toEqual([200, 'stale', 'one']);
    expect((await page.read())[2]).toBe('two');
    expect((await page.read())[1]).toBe('cache');
  });
});

describe('a failure with an explicit lifetime', () => {
  test('is served while it is fresh', async () => {
    const page = await holding(
      new Response('gone', { status: 503, headers: { 'cache-control': 'max-age=60' } }),
    );
    expect(await page.read()).toEqual([503, 'cache', 'gone']);
  });

  test('does not take the place of the response that stands in', async () => {
    const page = await holding(fresh('one', 10), 'network-first');
    page.origin.replies(new Response('gone', { status: 503, headers: { 'cache-control': 'max-age=60' } }));
    expect(await page.read()).toEqual([200, 'cache', 'one']);
    page.origin.replies(networkError());
    expect(await page.read()).toEqual([200, 'cache', 'one']);
  });
});

describe('a request for a part', () => {
  const part = async (page: CachePage, range: string) => {
    const response = await page.fetch(URL_, { headers: { range } });
    const { headers } = response;
    return [
      response.status,
      headers.get('content-range'),
      headers.get('content-length'),
      await response.text(),
    ];
  };

  test.each([
    ['bytes=0-3', 'bytes 0-3/10', '0123'],
    ['bytes=7-', 'bytes 7-9/10', '789'],
    ['bytes=-2', 'bytes 8-9/10', '89'],
  ])('%s is served from a complete response that is fresh', async (range, contentRange, text) => {
    const page = await holding(fresh('0123456789', 60));
    expect(await part(page, range)).toEqual([206, contentRange, `${text.length}`, text]);
    expect(requests(page)).toBe(1);
  });

  test.each<[string, Response, CacheMode, string]>([
    ['from a stale response', fresh('0123456789', 0), 'cache-first', 'bytes=0-3'],
    ['in a mode that asks the network first', fresh('0123456789', 60), 'network-first', 'bytes=0-3'],
    ['for several parts', fresh('0123456789', 60), 'cache-first', 'bytes=0-1,3-4'],
    ['outside the body', fresh('0123456789', 60), 'cache-first', 'bytes=10-'],
    [
      'of a body that was encoded',
      fresh('0123456789', 60, { 'content-encoding': 'gzip' }),
      'cache-first',
      'bytes=0-3',
    ],
  ])('is the origin’s %s', async (_, first, mode, range) => {
    const page = await holding(first, mode);
    page.origin.replies(new Response('0123', { status: 206, headers: { 'content-range': 'bytes 0-3/10' } }));
    expect((await part(page, range))[0]).toBe(206);
    expect(requests(page)).toBe(2);
    expect(await page.cache.entries()).toHaveLength(1);
  });
});

describe('Cache-Status', () => {
  const said = async (page: CachePage, init = {}): Promise<string | null> =>
    (await page.fetch(URL_, init)).headers.get('cache-status');

  test('says hit if no request was sent, and how long it is fresh', async () => {
    const page = await holding(fresh('one', 60));
    await page.clock.advance(1_500);
    expect(await said(page)).toBe('holdfast; hit; ttl=58');
  });

  test('says why a request was sent, and its status', async () => {
    const page = await holding(fresh('one', 60, VALIDATORS));
    page.origin.replies(status(503), networkError());
    expect(await said(page, asked('max-age=0, min-fresh=90'))).toBe(
      'holdfast; fwd=request; fwd-status=503; ttl=60',
    );
    await page.clock.advance(61_000);
    expect(await said(page)).toBe('holdfast; fwd=stale; ttl=-1');
    page.origin.replies(status(502));
    expect(await said(page)).toBe('holdfast; fwd=stale; fwd-status=502; ttl=-1');
  });

  test('comes after the entries of the caches before it', async () => {
    const page = await holding(fresh('one', 60, { 'cache-status': 'cdn; hit' }));
    expect(await said(page)).toBe('cdn; hit, holdfast; hit; ttl=60');
  });

  test('is not on a response of the origin, nor on a 504 of our own', async () => {
    const page = own();
    expect(await said(page, asked('only-if-cached'))).toBeNull();
    expect(await said(page)).toBeNull();
  });
});

test('two readers at once take one request, and each has the whole response', async () => {
  const page = own();
  page.origin.replies(slow(page.clock, 1_000, () => fresh('one')));
  const both = await Promise.all([page.fetch(URL_), page.fetch(URL_)]);
  expect(await Promise.all(both.map((each) => each.text()))).toEqual(['one', 'one']);
  expect(requests(page)).toBe(1);
});
