import {
  duration,
  durationOrFalse,
  headerName,
  integer,
  list,
  oneOf,
  type Rule,
  readOptions,
  size,
} from '../../core/check.ts';
import { type Cipher, cipherRule } from '../../core/codec.ts';
import type { Duration, Size } from '../../core/durations.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { type Store, storeRule } from '../../core/store.ts';
import { CREDENTIALS } from '../../http/credentials.ts';
import type { Allowed } from '../../http/reuse.ts';

export type CacheMode = 'network-first' | 'cache-first' | 'stale-while-revalidate';

/** What a pipeline, a route or a call may say. */
export interface CallStaleCache {
  /**
   * `'network-first'` (default): a copy where the origin cannot answer. `'cache-first'`: what is fresh needs no network.
   * `'stale-while-revalidate'`: what is stale is given at once, too, and asked for behind the caller's back.
   */
  readonly mode?: CacheMode;
  /**
   * A copy is given after so much silence of the origin, and its answer is kept when it comes, and announced by
   * `cache-updated`. Where an origin has been silent for 4 s, or for this if it is longer, copies are given at once until it
   * responds. Default 4 s; `false`: neither.
   */
  readonly respondAfter?: Duration | false;
  /** How long past its freshness a copy may be used, where the origin says nothing of it. Default 7 d. */
  readonly maxStale?: Duration;
  /** What the origin forbids and a copy is given all the same for, where the origin cannot answer. Default none. */
  readonly disregard?: readonly ('no-cache' | 'must-revalidate')[];
}

export interface StaleCacheOptions extends CallStaleCache {
  /** Where copies are kept. Default: IndexedDB where there is one, else memory. */
  readonly store?: Store | undefined;
  /** Default 50 MB. What was used longest ago goes first. */
  readonly maxBytes?: Size;
  /** Default 1,000. */
  readonly maxEntries?: number;
  /** Larger bodies are not kept. Default 5 MB, and never more than `maxBytes`. */
  readonly maxEntryBytes?: Size;
  /** How much of what was used last is held in memory as well. `false` or 0: nothing. Default 5 MB. */
  readonly memory?: Size | false;
  /** Headers by which answers vary although they do not say so, or where CORS hides it. */
  readonly vary?: readonly string[];
  /**
   * Who asks the origin whether a copy is still right. `'own'`: this cache, with `If-None-Match` and
   * `If-Modified-Since`. `'platform'`: the browser's HTTP cache, over which this one lies, and which needs no preflight.
   * Default `'platform'` where there is IndexedDB, which is in browsers, else `'own'`.
   */
  readonly validators?: 'own' | 'platform';
  /**
   * What becomes of the copies of a URL to which a write succeeded. `'keep'` (default): they are never fresh again, and
   * stand in only if no response comes or the origin responds 5xx. `'drop'`: they are deleted at once, as after a DELETE.
   */
  readonly invalidated?: 'keep' | 'drop' | undefined;
  /** Seals what is written; see `encryptWith`. */
  readonly encryption?: Cipher;
  /**
   * Partition `'public'` is a cache that users share: it keeps nothing that was requested with credentials, unless the
   * response says `public`, `s-maxage` or `must-revalidate`. `'ignore-authorization'`: `Authorization` and `auth` prove
   * the application itself, as the token of an edge function does, and not a user.
   */
  readonly shared?: 'ignore-authorization' | undefined;
}

export interface CallSettings {
  mode: CacheMode;
  respondAfter: number;
  maxStale: number;
  disregard: Allowed['disregard'];
}

export interface CacheSettings extends CallSettings {
  store: Store;
  maxBytes: number;
  maxEntries: number;
  maxEntryBytes: number;
  memory: number;
  vary: string[];
  validators: 'own' | 'platform';
  encryption: Cipher | undefined;
  shared: 'ignore-authorization' | undefined;
  invalidated: 'keep' | 'drop';
}

const varies: Rule<string> = (value, option) => {
  const name = headerName(value, option).toLowerCase();
  if (name !== '*' && !CREDENTIALS.includes(name)) return name;
  throw new ConfigurationError(
    option,
    value,
    'expected headers other than those of credentials: whose copy it is, the partition says',
  );
};

type Rules<T> = { [K in keyof T]: Rule<T[K]> };

const callRules: Rules<CallSettings> = {
  mode: oneOf('network-first', 'cache-first', 'stale-while-revalidate'),
  respondAfter: durationOrFalse,
  maxStale: duration,
  disregard: list(oneOf('no-cache', 'must-revalidate')),
};

const rules: Rules<CacheSettings> = {
  ...callRules,
  store: storeRule,
  maxBytes: size,
  maxEntries: integer(1),
  maxEntryBytes: size,
  memory: (value, option) => (value === false ? 0 : size(value, option)),
  vary: list(varies),
  validators: oneOf('own', 'platform'),
  encryption: cipherRule,
  shared: oneOf('ignore-authorization'),
  invalidated: oneOf('keep', 'drop'),
};

export function readCacheOptions(given: StaleCacheOptions, store: Store): CacheSettings {
  const read = readOptions<CacheSettings>('staleCache', given, rules, {
    mode: 'network-first',
    respondAfter: 4_000,
    maxStale: 7 * 86_400_000,
    disregard: [],
    store,
    maxBytes: 50_000_000,
    maxEntries: 1000,
    maxEntryBytes: 5_000_000,
    memory: 5_000_000,
    vary: [],
    // Only browsers have an HTTP cache below their fetch, and only they have IndexedDB.
    validators: typeof globalThis.indexedDB === 'object' ? 'platform' : 'own',
    encryption: undefined,
    shared: undefined,
    invalidated: 'keep',
  });
  // One that is larger than all together would push all others out, and stay alone.
  return { ...read, maxEntryBytes: Math.min(read.maxEntryBytes, read.maxBytes) };
}

export function readCallOptions(given: unknown, settings: CacheSettings): CallSettings {
  if (given === undefined || given === true) return settings;
  const { mode, respondAfter, maxStale, disregard } = settings;
  const above = { mode, respondAfter, maxStale, disregard };
  return readOptions('staleCache', given as CallStaleCache, callRules, above);
}
