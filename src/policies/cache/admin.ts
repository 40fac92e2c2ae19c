import { drain } from '../../core/body/read-body.ts';
import { respondWithin } from '../../core/deadlines.ts';
import { sourceOf } from '../../core/outcome.ts';
import { ageOf } from '../../http/freshness.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { notify } from '../../primitives/emitter.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { forEachConcurrently } from '../../primitives/locks.ts';
import { originOf } from '../../primitives/request.ts';
import { abortSignal, integer, ofType, readSettings, wellFormedString } from '../../primitives/validate.ts';
import type { Cache, CacheStats } from './cache-context.ts';
import { readCallOptions } from './options.ts';
import type { CachedResponse } from './store/entry.ts';
import type { Usage } from './store/quota.ts';

export type { CacheStats, Usage };

/** How long the application waits for the store, in ms. */
const ADMIN_TIMEOUT = 10_000;

/** A cached response in a listing. Times are wall times in ms, ages in seconds, sizes in bytes. */
export interface CacheEntry {
  /** For `after`. */
  readonly key: string;
  readonly partition: string;
  readonly url: string;
  readonly status: number;
  /** Of the body. */
  readonly size: number;
  readonly storedAt: number;
  readonly usedAt: number;
  readonly age: number;
  /** How long it stays fresh; negative: how long it has been stale. */
  readonly freshFor: number;
  /** The headers that select it among the variants of the URL. */
  readonly varying: Readonly<Record<string, string | null>>;
}

export interface CacheEntriesQuery {
  readonly partition?: string;
  /** The key of the last one of the page before. */
  readonly after?: string;
  /** Default 100. */
  readonly limit?: number;
}

export interface CacheManagement {
  /** Cached responses without their bodies, in pages; those of one URL come together. */
  entries(query?: CacheEntriesQuery): Promise<CacheEntry[]>;
  /** Deletes the cached responses of a URL. @returns how many there were. */
  delete(url: string, options: { readonly partition: string }): Promise<number>;
  /**
   * Deletes the cached responses of a partition, or all of them, in every tab. Responses to earlier requests are not stored afterwards.
   *
   * @returns how many there were.
   */
  clear(options?: { readonly partition?: string }): Promise<number>;
  /**
   * Fetches URLs for later use without a network: for the current user, through the pipeline, with the options of its routes. Fresh
   * ones are not fetched. If headers or credentials matter, pass `Request`s: those that a client above the pipeline adds (ky's
   * `headers`) are not there.
   */
  warm(wishes: WarmList, options?: WarmOptions): Promise<WarmReport>;
  /** How many responses are cached, and the bytes of their bodies. */
  usage(query?: { readonly partition?: string }): Promise<Usage>;
  /** Counts since the cache was made, in this tab. */
  stats(): Readonly<CacheStats>;
}

export function createCacheApi(cache: Cache): CacheManagement {
  const { store } = cache;

  /** @throws {StorageError} if the store does not respond: the application must know that data may still be there. */
  const asked = <T>(operation: string, work: Promise<T>): Promise<T> =>
    respondWithin(ADMIN_TIMEOUT, `staleCache.${operation}: the store`, cache.host, work);

  const remove = async (
    operation: string,
    partition: string | undefined,
    url: string | undefined,
  ): Promise<number> => {
    const entries = await asked(operation, store.delete(partition, url));
    cache.emit({ type: 'cache-deleted', url, partition, entries });
    return entries;
  };

  return {
    async entries(query = {}) {
      const { partition, after, limit } = readSettings(
        'staleCache.entries',
        {
          partition: [undefined, wellFormedString],
          after: ['', ofType<string>('string')],
          limit: [100, integer(1)],
        },
        query,
      );
      const { now } = cache;
      const cached = await asked('entries', store.list(partition, after, limit));
      return cached.map((each) => entryOf(each, now));
    },
    async delete(url, options = {} as never) {
      const partition = wellFormedString(readPartition('delete', options), 'staleCache.delete.partition');
      return remove('delete', partition, new URL(url).href);
    },
    async clear(options = {}) {
      return remove('clear', readPartition('clear', options), undefined);
    },
    async warm(wishes, options = {}) {
      const { pipeline } = cache;
      if (!pipeline)
        throw new ConfigurationError(
          'staleCache.warm',
          undefined,
          'expected a pipeline that uses this cache',
        );
      const partition = pipeline.partition();
      return warmer(pipeline.signal, wishes, options, async (wish, signal): Promise<Warmed> => {
        const began = cache.now;
        const request = new Request(wish);
        const works: Promise<unknown>[] = [];
        const background = pipeline.background({
          url: request.url,
          origin: originOf(request.url),
          partition,
          signal,
        });
        if (background.options.staleCache === false) return 'not-stored';
        const call = { ...background, waitUntil: (work: Promise<unknown>) => void works.push(work) };
        const own = readCallOptions(call.options.staleCache, cache.settings);
        const response = await cache.read(
          pipeline,
          request,
          cache.withRevalidation({ own: { ...own, mode: 'cache-first', respondAfter: Infinity } }, call),
        );
        await drain(response);
        for (const work of works) await work;
        const source = sourceOf(response);
        if (source !== 'network') return source === 'cache' ? 'fresh' : 'stale';
        const cached = await cache.find({ request, call });
        return cached && cached.response.receivedAt >= began ? 'stored' : 'not-stored';
      });
    },
    async usage(query = {}) {
      return asked('usage', store.usage(readPartition('usage', query)));
    },
    stats: () => ({ ...cache.stats }),
  };
}

const readPartition = (operation: string, options: object): string | undefined =>
  readSettings(`staleCache.${operation}`, { partition: [undefined, wellFormedString] }, options).partition;

function entryOf(
  { key, response: stored, freshness, size, usedAt }: CachedResponse,
  now: number,
): CacheEntry {
  const { partition, url, response, varying, receivedAt } = stored;
  const age = ageOf(freshness, now);
  return {
    key,
    partition,
    url,
    status: response.status,
    size,
    storedAt: receivedAt,
    usedAt,
    age: Math.floor(age / 1000),
    freshFor: Math.trunc((freshness.lifetime - age) / 1000),
    varying: Object.fromEntries(varying),
  };
}

/**
 * The outcome of a URL: `fresh` was cached already; `stored` is cached now; `stale` could not be fetched, and an older response is
 * cached; `not-stored` got a response that must not be stored.
 */
export type Warmed = 'fresh' | 'stored' | 'stale' | 'not-stored';

export interface WarmProgress {
  readonly url: string;
  readonly outcome: Warmed | 'failed';
  /** Only where it failed. */
  readonly error?: unknown;
  /** How many are done, this one included. */
  readonly done: number;
  readonly total: number;
}

/** A string is one URL and not a list of them. */
export type WarmList = Iterable<string | URL | Request> & object;

export interface WarmOptions {
  /** How many at once. Default 4. */
  readonly concurrency?: number;
  readonly signal?: AbortSignal;
  /** Called with each URL when it is done. */
  readonly onProgress?: (progress: WarmProgress) => void;
}

export type WarmReport = Record<Warmed, string[]> & {
  readonly failed: readonly { readonly url: string; readonly error: unknown }[];
};

/**
 * @param warm Fetches one.
 * @throws the reason of the signal; responses fetched by then stay cached.
 */
async function warmer(
  closing: AbortSignal,
  wishes: WarmList,
  options: WarmOptions,
  warm: (wish: string | Request, signal: AbortSignal) => Promise<Warmed>,
): Promise<WarmReport> {
  const { concurrency, signal, onProgress } = readSettings(
    'staleCache.warm',
    {
      concurrency: [4, integer(1)],
      signal: [undefined, abortSignal],
      onProgress: [undefined, ofType<WarmOptions['onProgress']>('function')],
    },
    options,
  );
  if (typeof wishes === 'string' || typeof wishes?.[Symbol.iterator] !== 'function')
    throw new ConfigurationError('staleCache.warm', wishes, 'expected a list of URLs or requests');
  const own = createAborter();
  const unfollow = [closing, signal].map((each) => each && follow(each, own.abort));
  const all = [...new Set([...wishes].map((wish) => (wish instanceof Request ? wish : String(wish))))];
  const report = { fresh: [], stored: [], stale: [], 'not-stored': [], failed: [] } as {
    [K in keyof WarmReport]: WarmReport[K][number][];
  };
  let done = 0;
  const fetchOne = async (wish: string | Request): Promise<void> => {
    own.signal.throwIfAborted();
    const url = wish instanceof Request ? wish.url : wish;
    let outcome: WarmProgress['outcome'] = 'failed';
    let failure = {};
    try {
      outcome = await warm(wish, own.signal);
      report[outcome].push(url);
    } catch (error) {
      own.signal.throwIfAborted();
      report.failed.push({ url, error });
      failure = { error };
    }
    const progress = { url, outcome, done: ++done, total: all.length, ...failure };
    if (onProgress) notify(onProgress, progress);
  };
  try {
    await forEachConcurrently(all, concurrency, fetchOne);
    return report;
  } finally {
    for (const end of unfollow) end?.();
  }
}
