import { drain } from '../../core/body.ts';
import { count, readOptions, typed, wellFormed } from '../../core/check.ts';
import type { Home } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { originOf } from '../../core/origins.ts';
import { sourceOf } from '../../core/source.ts';
import { ageOf } from '../../http/freshness.ts';
import { wantedBy } from '../../http/wanted.ts';
import type { Held } from './copy.ts';
import type { CacheStats, Desk } from './desk.ts';
import type { Usage } from './limits.ts';
import { readCallOptions } from './options.ts';
import type { Reads } from './reads.ts';
import { type Warmed, type WarmOptions, type WarmReport, warmer } from './warm.ts';

export type { CacheStats, Usage, Warmed, WarmOptions, WarmReport };

/** A copy as it is listed. Times are wall times in ms, ages in seconds, sizes in bytes. */
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
  /** For how long it is fresh; negative: since when it is stale. */
  readonly freshFor: number;
  /** The headers by which it is told from other variants of the URL. */
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
  /** Copies without their bodies, in pages; those of one URL stand together. */
  entries(query?: CacheEntriesQuery): Promise<CacheEntry[]>;
  /** Forgets the copies of a URL. @returns how many there were. */
  delete(url: string, options: { readonly partition: string }): Promise<number>;
  /**
   * Forgets the copies of a partition, or all of them, in every tab. What was asked for before is not kept afterwards.
   *
   * @returns how many there were.
   */
  clear(options?: { readonly partition?: string }): Promise<number>;
  /**
   * Fetches what is to be there when there is no network: for the current user, through the pipeline, with the options of
   * its routes. What is fresh is not fetched.
   */
  warm(urls: Iterable<string | URL>, options?: WarmOptions): Promise<WarmReport>;
  /** How many copies there are, and bytes in their bodies. */
  usage(query?: { readonly partition?: string }): Promise<Usage>;
  /** What has been done since the cache was made, in this tab. */
  stats(): Readonly<CacheStats>;
}

/** @returns `use` takes the pipelines through which copies are fetched. */
export function management(desk: Desk): CacheManagement & { use(reads: Reads, home: Home): void } {
  const { shelf } = desk;
  let user: { reads: Reads; home: Home } | undefined;

  const forget = async (partition: string | undefined, url: string | undefined): Promise<number> => {
    const entries = await shelf.forget(partition, url, desk.now);
    desk.tell({ type: 'cache-forgotten', url, partition, entries });
    return entries;
  };

  return {
    use(reads, home) {
      user ??= { reads, home };
      home.signal.addEventListener(
        'abort',
        () => {
          if (user?.home === home) user = undefined;
        },
        { once: true },
      );
    },
    async entries(query = {}) {
      const { partition, after, limit } = readOptions<{
        partition: string | undefined;
        after: string;
        limit: number;
      }>(
        'staleCache.entries',
        query,
        { partition: wellFormed, after: typed('string'), limit: count(1) },
        { partition: undefined, after: '', limit: 100 },
      );
      const { now } = desk;
      return (await shelf.list(partition, after, limit, now)).map((held) => entryOf(held, now));
    },
    async delete(url, { partition }) {
      return forget(wellFormed(partition, 'staleCache.delete.partition'), new URL(url).href);
    },
    async clear({ partition } = {}) {
      return forget(partition, undefined);
    },
    async warm(urls, options = {}) {
      const { reads, home } = user ?? {};
      if (!reads || !home)
        throw new ConfigurationError(
          'staleCache.warm',
          undefined,
          'expected a pipeline that uses this cache',
        );
      const partition = home.partition();
      return warmer(home.signal, urls, options, async (url, signal): Promise<Warmed> => {
        const request = new Request(url);
        const works: Promise<unknown>[] = [];
        const background = home.background({
          url: request.url,
          origin: originOf(request.url),
          partition,
          signal,
        });
        if (background.options.staleCache === false) return 'not-stored';
        const call = { ...background, waitUntil: (work: Promise<unknown>) => void works.push(work) };
        const own = readCallOptions(call.options.staleCache, desk.settings);
        const wanted = wantedBy(request);
        const response = await reads({ request, call, wanted, own: { ...own, mode: 'cache-first' } });
        await drain(response);
        for (const work of works) await work;
        const source = sourceOf(response);
        if (source !== 'network') return source === 'cache' ? 'fresh' : 'stale';
        const held = await shelf.find(partition, request, desk.now);
        return held ? 'stored' : 'not-stored';
      });
    },
    async usage({ partition } = {}) {
      return shelf.usage(partition, desk.now);
    },
    stats: () => ({ ...desk.stats }),
  };
}

function entryOf({ key, copy, terms, size, usedAt }: Held, now: number): CacheEntry {
  const { partition, url, response, varying, receivedAt } = copy;
  const age = ageOf(terms, now);
  return {
    key,
    partition,
    url,
    status: response.status,
    size,
    storedAt: receivedAt,
    usedAt,
    age: Math.floor(age / 1000),
    freshFor: Math.trunc((terms.lifetime - age) / 1000),
    varying: Object.fromEntries(varying),
  };
}
