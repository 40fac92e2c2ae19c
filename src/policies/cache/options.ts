import { count, duration, type Rule, readOptions, size } from '../../core/check.ts';
import type { Duration, Size } from '../../core/durations.ts';
import { type Store, storeRule } from '../../core/store.ts';

export interface StaleCacheOptions {
  /** Where copies are kept. Default: IndexedDB where there is one, else memory. */
  readonly store?: Store;
  /** How long past its freshness a copy may stand in, where the origin says nothing of it. Default 7 d. */
  readonly maxStale?: Duration;
  /** Default 50 MB. What was used longest ago goes first. */
  readonly maxBytes?: Size;
  /** Default 1,000. */
  readonly maxEntries?: number;
  /** Larger bodies are not kept. Default 5 MB. */
  readonly maxEntryBytes?: Size;
}

/** What one call may say. */
export type CallStaleCache = Pick<StaleCacheOptions, 'maxStale'>;

export interface CacheSettings {
  store: Store;
  maxStale: number;
  maxBytes: number;
  maxEntries: number;
  maxEntryBytes: number;
}

const rules: { [K in keyof CacheSettings]: Rule<CacheSettings[K]> } = {
  store: storeRule,
  maxStale: duration,
  maxBytes: size,
  maxEntries: count(1),
  maxEntryBytes: size,
};

export const readCacheOptions = (given: StaleCacheOptions, store: Store): CacheSettings =>
  readOptions('staleCache', given, rules, {
    store,
    maxStale: 7 * 86_400_000,
    maxBytes: 50_000_000,
    maxEntries: 1000,
    maxEntryBytes: 5_000_000,
  });

export const readCallOptions = (given: unknown, { maxStale }: CacheSettings): { maxStale: number } =>
  given === undefined || given === true
    ? { maxStale }
    : readOptions('staleCache', given as CallStaleCache, { maxStale: duration }, { maxStale });
