import { describe, expect, test } from 'vitest';
import type { WarmProgress } from '../../../src/policies/cache/admin.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { networkError, status } from '../../../src/testing.ts';
import { cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { ORIGIN } from '../../support/scenario.ts';

describe('entries', () => {
  test('are listed in pages', async () => {
    const { read, clock, cache, origin } = cachePage();
    origin.otherwise(() => fresh('cached', 60, { vary: 'x-kind' }));
    for (const n of [1, 2, 3]) await read(`${URL_}/${n}`, { headers: { 'x-kind': 'a' } });
    await clock.advance(70_000);
    const [first, second] = await cache.entries({ limit: 2 });
    expect(first).toMatchObject({
      partition: 'ann',
      url: `${URL_}/1`,
      status: 200,
      size: 6,
      age: 70,
      freshFor: -10,
      varying: { 'x-kind': 'a' },
    });
    expect(first?.storedAt).toBe(clock.now() - 70_000);
    const rest = await cache.entries({ limit: 2, after: second?.key as string });
    expect(rest.map(({ url }) => url)).toEqual([`${URL_}/3`]);
  });

  test('of one partition can be listed alone', async () => {
    let user = 'ann';
    const { read, cache } = cachePage({}, { partition: () => user });
    await read();
    user = 'bob';
    await read();
    await read(`${URL_}/1`);
    expect(await cache.entries({ partition: 'ann' })).toHaveLength(1);
    expect(await cache.usage({ partition: 'bob' })).toEqual({ entries: 2, bytes: 4 });
    expect(await cache.usage()).toEqual({ entries: 3, bytes: 6 });
  });

  test('are deleted one URL at a time', async () => {
    const { read, cache, emitted } = cachePage();
    await read();
    await read(`${URL_}/1`);
    expect(await cache.delete(`${URL_}#part`, { partition: 'bob' })).toBe(0);
    expect(await cache.delete(`${URL_}#part`, { partition: 'ann' })).toBe(1);
    expect((await cache.entries()).map(({ url }) => url)).toEqual([`${URL_}/1`]);
    expect(emitted('cache-deleted').at(-1)).toMatchObject({
      url: `${URL_}#part`,
      partition: 'ann',
      entries: 1,
    });
  });

  test.each([
    [{ limit: 0 }, /staleCache.entries.limit: 0 is not allowed/],
    [{ partition: 7 }, /staleCache.entries.partition: 7/],
    [{ page: 1 }, /staleCache.entries.page: 1 is not allowed; unknown option/],
  ])('an invalid query is rejected: %j', async (query, message) => {
    await expect(cachePage().cache.entries(query as never)).rejects.toThrow(message);
  });

  test('delete() rejects a malformed URL and a missing partition', async () => {
    const { cache } = cachePage();
    await expect(cache.delete('/orders', { partition: 'ann' })).rejects.toThrow(TypeError);
    await expect(cache.delete(URL_, {} as never)).rejects.toThrow(/partition: undefined is not allowed/);
  });
});

describe('warm', () => {
  test('fetches the URLs that are not fresh, at most concurrency at once, and reports progress', async () => {
    const { read, cache, origin, clock } = cachePage();
    let [atOnce, most] = [0, 0];
    origin.otherwise(async (request) => {
      if (request.url.endsWith('/bad')) return Promise.reject(networkError());
      if (request.url.endsWith('/never')) return status(403);
      most = Math.max(most, ++atOnce);
      await new Promise<void>((go) => void clock.after(100, go));
      atOnce--;
      return fresh('cached');
    });
    await read(`${URL_}/0`);
    const urls = ['0', '1', '2', '3', '4', '5', 'bad', 'never'].map((name) => `${URL_}/${name}`);
    const progress: WarmProgress[] = [];
    const report = await cache.warm(urls, { concurrency: 2, onProgress: (each) => void progress.push(each) });
    expect(report.fresh).toEqual([`${URL_}/0`]);
    expect(report.stored).toHaveLength(5);
    expect(report['not-stored']).toEqual([`${URL_}/never`]);
    expect(report.failed).toMatchObject([{ url: `${URL_}/bad`, error: { code: 'network' } }]);
    expect(most).toBe(2);
    expect(progress.map(({ done, total }) => [done, total])).toEqual(urls.map((_, at) => [at + 1, 8]));
    expect(await cache.entries()).toHaveLength(6);
  });

  test('keeps an older cached response if the origin fails, and reports it as stale', async () => {
    const { read, cache, origin, clock } = cachePage();
    origin.replies(fresh('cached'));
    origin.otherwise(networkError());
    await read();
    await clock.advance(61_000);
    expect(await cache.warm([URL_])).toMatchObject({ stale: [URL_] });
  });

  test('applies the routes of the pipeline', async () => {
    const { cache, origin } = cachePage({}, { routes: [{ match: '/orders', staleCache: false }] });
    origin.otherwise(() => fresh('cached'));
    expect(await cache.warm([URL_])).toMatchObject({ 'not-stored': [URL_] });
  });

  test('ends with its signal, and keeps the responses it has stored', async () => {
    const { cache, origin } = cachePage();
    const ending = new AbortController();
    const reason = new Error('mine');
    origin.replies(fresh('cached'), () => {
      ending.abort(reason);
      return fresh('late');
    });
    const urls = Array.from({ length: 10 }, (_, n) => `${URL_}/${n}`);
    await expect(cache.warm(urls, { concurrency: 1, signal: ending.signal })).rejects.toBe(reason);
    expect(origin.seen).toHaveLength(2);
    expect((await cache.entries()).length).toBeLessThan(3);
  });

  test('a malformed URL counts as failed, and the others go on', async () => {
    const { cache } = cachePage();
    const report = await cache.warm(['http://', new URL(URL_)]);
    expect(report.failed.map(({ url }) => url)).toEqual(['http://']);
    expect(report.stored).toEqual([URL_]);
  });

  test('rejects without a pipeline', async () => {
    const cache = cachePolicy({}, memoryStore);
    await expect(cache.warm([ORIGIN])).rejects.toThrow(/staleCache.warm: .* expected a pipeline/);
    await expect(cachePage().cache.warm([ORIGIN], { concurrency: 0 })).rejects.toThrow(/concurrency: 0/);
  });
});

test('the statistics add up', async () => {
  const { read, clock, cache, origin } = cachePage({ mode: 'cache-first', validators: 'own', maxEntries: 1 });
  origin.replies(fresh('one', 60, { etag: '"1"' }), status(304), fresh('two'), status(404), networkError());
  await read();
  await read();
  await clock.advance(61_000);
  await read();
  await read(`${URL_}/2`);
  await read(`${URL_}/3`);
  await clock.advance(61_000);
  await read(`${URL_}/2`);
  expect(cache.stats()).toEqual({
    hits: 1,
    confirmed: 1,
    misses: 3,
    stale: 1,
    stored: 2,
    evicted: 1,
    discarded: 0,
  });
});
