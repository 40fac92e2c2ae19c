import { type Cipher, cipherRule, type Store, storeRule } from '../../core/store.ts';
import { CREDENTIALS } from '../../http/credentials.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration, Size } from '../../primitives/units.ts';
import {
  duration,
  durationOrFalse,
  headerName,
  integer,
  list,
  oneOf,
  type Rule,
  readSettings,
  type SettingsOf,
  settingsTable,
  size,
} from '../../primitives/validate.ts';

export type CacheMode = 'network-first' | 'cache-first' | 'stale-while-revalidate';

/** The options of a pipeline, a route or a call. */
export interface CallStaleCache {
  /**
   * `'network-first'` (default): a cached response if the origin cannot respond. `'cache-first'`: a fresh one needs no network.
   * `'stale-while-revalidate'`: a stale one is served at once, too, and revalidated in the background.
   */
  readonly mode?: CacheMode;
  /**
   * A cached response is served after this time without a response, which is stored when it comes, and announced by
   * `cache-updated`. If an origin has been silent for 4 s, or for this if it is longer, cached responses are served at once until it
   * responds. Default 4 s; `false`: neither.
   */
  readonly respondAfter?: Duration | false;
  /** How long past its freshness a cached response may be used, if the origin does not say. Default 7 d. */
  readonly maxStale?: Duration;
  /** Directives that are ignored if the origin cannot respond. Default none. */
  readonly disregard?: readonly ('no-cache' | 'must-revalidate')[];
}

export interface StaleCacheOptions extends CallStaleCache {
  /** Where responses are stored. Default: IndexedDB, else memory. */
  readonly store?: Store | undefined;
  /** Default 50 MB. The least recently used is evicted first. */
  readonly maxBytes?: Size;
  /** Default 1,000. */
  readonly maxEntries?: number;
  /** Larger bodies are not stored. Default 5 MB, and never more than `maxBytes`. */
  readonly maxEntryBytes?: Size;
  /** The LRU in memory before the store, in bytes. `false` or 0: none. Default 5 MB. */
  readonly memory?: Size | false;
  /** Headers by which responses vary without `Vary`, or where CORS hides it. */
  readonly vary?: readonly string[];
  /**
   * How cached responses are revalidated. `'own'`: by this cache, with `If-None-Match` and
   * `If-Modified-Since`. `'platform'`: by the browser's HTTP cache below, which needs no preflight.
   * Default `'platform'` where there is IndexedDB, which is in browsers, else `'own'`.
   */
  readonly validators?: 'own' | 'platform';
  /**
   * The cached responses of a URL after a successful write. `'keep'` (default): they are never fresh again, and
   * stand in only if no response comes or the origin responds 5xx. `'drop'`: they are deleted at once, as after a DELETE.
   */
  readonly invalidated?: 'keep' | 'drop' | undefined;
  /** Encrypts stored responses; see `encryptWith`. */
  readonly encryption?: Cipher;
  /**
   * Partition `'public'` is a cache that users share: it keeps nothing that was requested with credentials, unless the
   * response says `public`, `s-maxage` or `must-revalidate`. `'ignore-authorization'`: `Authorization` and `auth` prove
   * the application itself, as the token of an edge function does, and not a user.
   */
  readonly shared?: 'ignore-authorization' | undefined;
}

const varies: Rule<string> = (value, option) => {
  const name = headerName(value, option).toLowerCase();
  if (name !== '*' && !CREDENTIALS.includes(name)) return name;
  throw new ConfigurationError(option, value, 'expected no header of credentials; use partition');
};

const callTable = /* @__PURE__ */ settingsTable({
  mode: ['network-first' as const, oneOf('network-first', 'cache-first', 'stale-while-revalidate')],
  respondAfter: [4_000, durationOrFalse],
  maxStale: [7 * 86_400_000, duration],
  disregard: [[], list(oneOf('no-cache', 'must-revalidate'))],
});

export type CallSettings = SettingsOf<typeof callTable>;
export type CacheSettings = ReturnType<typeof readCacheOptions>;

export function readCacheOptions(given: StaleCacheOptions, store: Store) {
  const settings = readSettings(
    'staleCache',
    {
      ...callTable,
      store: [store, storeRule],
      maxBytes: [50_000_000, size],
      maxEntries: [1_000, integer(1)],
      maxEntryBytes: [5_000_000, size],
      memory: [5_000_000, (value, option) => (value === false ? 0 : size(value, option))],
      vary: [[], list(varies)],
      // Only browsers have an HTTP cache below their fetch, and only they have IndexedDB.
      validators: [
        typeof globalThis.indexedDB === 'object' ? ('platform' as const) : ('own' as const),
        oneOf('own', 'platform'),
      ],
      encryption: [undefined, cipherRule],
      shared: [undefined, oneOf('ignore-authorization')],
      invalidated: ['keep' as const, oneOf('keep', 'drop')],
    },
    given,
  );
  // A response as large as the limit of all would evict all others.
  return { ...settings, maxEntryBytes: Math.min(settings.maxEntryBytes, settings.maxBytes) };
}

export function readCallOptions(given: unknown, settings: CacheSettings): CallSettings {
  if (given === undefined || given === true) return settings;
  const { mode, respondAfter, maxStale, disregard } = settings;
  return readSettings('staleCache', callTable, { mode, respondAfter, maxStale, disregard }, given);
}
