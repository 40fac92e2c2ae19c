import { type AtomicStore, atomicStoreRule, type Cipher, cipherRule } from '../../core/store.ts';
import { carriesCredentials } from '../../http/credentials.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Match } from '../../primitives/request.ts';
import type { Duration, Size } from '../../primitives/units.ts';
import {
  duration,
  durationOrFalse,
  expected,
  headerName,
  integer,
  list,
  ofType,
  oneOf,
  positiveDuration,
  type Rule,
  readSettings,
  rule,
  type SettingsOf,
  settingsTable,
  size,
  urlMatchRule,
  wellFormedString,
} from '../../primitives/validate.ts';
import type { DeliveryGuarantee, OutboxEntry } from './queue/entry.ts';

/** @typeParam Meta The application's data of an entry. */
export interface OutboxOptions<Meta = unknown> {
  /** Where entries are stored. Default: IndexedDB; required where there is none. */
  readonly store?: AtomicStore | undefined;
  /** Writes that are queued without `outbox: true`. Default: none. */
  readonly match?: Match;
  /** The caller gets a `202` at the latest after this time, while delivery goes on. Default 2 s. */
  readonly respondAfter?: Duration;
  /** Attempts until an entry becomes a dead letter. Default 10. */
  readonly attempts?: number;
  /** Age at which it does. Default 7 d. */
  readonly expiresAfter?: Duration | false;
  /** The longest backoff between two attempts; the first is up to 2 s, and it doubles. Default 15 min. */
  readonly backoffLimit?: Duration;
  /** Waiting entries, all partitions together. Default 1,000. */
  readonly maxEntries?: number;
  /** Bytes of their bodies. Default 50 MB. */
  readonly maxBytes?: Size;
  /** Bytes of one body. Default 5 MB. */
  readonly maxEntryBytes?: Size;
  /** The header that carries the key; `false` for none. Default `'Idempotency-Key'`. */
  readonly idempotencyHeader?: string | false;
  /** Headers that are written to disk besides the few that are safe. */
  readonly persistHeaders?: readonly string[];
  /** Restores, for each attempt, the headers that are not stored: sets the request's headers, or returns another request. */
  readonly authorize?: (request: Request, entry: OutboxEntry<Meta>) => Authorized | Promise<Authorized>;
  /**
   * For 409 and 412: `'again'`, `'drop'` (it is done), `'dead-letter'`, or another request to be sent instead, with a new key.
   * `request` is the request sent. Default: 409 twice again (the key may be in process), then a dead letter.
   */
  readonly onConflict?: (
    response: Response,
    entry: OutboxEntry<Meta>,
    request: Request,
  ) => Conflict | Request | Promise<Conflict | Request>;
  /** Whether a 2xx is the origin's own: a captive portal says 200, too. If false, the entry is sent again later. */
  readonly isDelivered?: (response: Response, entry: OutboxEntry<Meta>) => boolean | Promise<boolean>;
  /**
   * How to treat a write that may have taken effect, because its response was lost: `'at-least-once'` (default)
   * sends it again with the same key; `'at-most-once'` makes it a dead letter, also if the origin ignores
   * keys. PUT and DELETE are always sent again.
   */
  readonly delivery?: DeliveryGuarantee;
  /** A dead letter stops its lane until it is replayed or removed. Default `false`: the lane goes on. */
  readonly blockLaneOnFailure?: boolean;
  /** Lanes of one origin that send at once. Default 6. */
  readonly concurrency?: number;
  /** Encrypts stored entries; see `encryptWith`. */
  readonly encryption?: Cipher;
  /**
   * Asks the browser to wake the service worker when the network is back, also with all pages closed (Background Sync).
   * `true`, or the tag. Needs a service worker with `holdfast/service-worker`. Default `false`.
   */
  readonly backgroundSync?: boolean | string;
  /** How long `result(id)` has the response; `false` for not at all. Default 24 h. */
  readonly resultTtl?: Duration | false;
  /** How often the outbox checks for due entries without another trigger. Default 1 min. */
  readonly pollInterval?: Duration;
  /**
   * Asks the browser after the first accepted write to delete nothing of this site when the disk is full
   * (`navigator.storage.persist()`; Firefox asks the user). Default `true`.
   */
  readonly persist?: boolean;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only sets headers returns nothing
type Authorized = Request | undefined | void;

export type Conflict = 'again' | 'drop' | 'dead-letter';

/** The options of one call. */
export interface CallOutbox {
  /** Order is kept within a lane. Default: the origin. */
  readonly lane?: string;
  /** Two writes with the same id are one entry. */
  readonly id?: string;
  /** The value that the client's body shortcuts resolve with for a queued write, instead of a `QueuedError`. */
  readonly optimisticResult?: unknown;
  /** Plain data of the application, stored with the entry. */
  readonly meta?: unknown;
  /** Makes one entry of several that supersede each other. */
  readonly coalesce?: Coalesce;
  /** As in `OutboxOptions`, for this write. */
  readonly expiresAfter?: Duration | false;
  readonly blockLaneOnFailure?: boolean;
  readonly delivery?: DeliveryGuarantee;
}

export interface Coalesce {
  /** Unsent writes of a lane with the same key become one entry, in the place of the first. */
  readonly key: string;
  /**
   * `'replace'` (default) keeps the later write; a function returns the request that is sent for both.
   */
  readonly merge?: 'replace' | Merge | undefined;
}

export type Merge = (earlier: Request, later: Request) => Request | Promise<Request>;

/** How long a hook of the application may take, in ms: a lane waits for it. */
export const HOOK_TIMEOUT = 30_000;

/** The name of a header that is written to disk. @param allowed For the error, if it carries credentials. */
function storedHeader(value: unknown, option: string, allowed: string): string {
  const name = headerName(value, option);
  if (carriesCredentials(name)) throw new ConfigurationError(option, value, allowed);
  return name;
}

/** In lower case, as `Headers` has it. */
export const keptHeader: Rule<string> = (value, option) =>
  storedHeader(
    value,
    option,
    'credentials are not written to disk: `authorize` puts them back',
  ).toLowerCase();

/** The header of the key, or `false` for none. */
export const keyHeader: Rule<string | false> = (value, option) =>
  value === false
    ? value
    : storedHeader(value, option, 'expected no header of credentials: the key is written to disk');

const delivery = /* @__PURE__ */ oneOf<DeliveryGuarantee>('at-least-once', 'at-most-once');

/** The tag under which the service worker is woken. */
export const SYNC_TAG = 'holdfast-outbox';

export type OutboxSettings = ReturnType<typeof readOutboxOptions>;

export const readOutboxOptions = (given: OutboxOptions, store: AtomicStore) =>
  readSettings(
    'outbox',
    {
      store: [store, atomicStoreRule],
      match: [undefined, urlMatchRule],
      respondAfter: [2_000, duration],
      attempts: [10, integer(1)],
      expiresAfter: [7 * 86_400_000, durationOrFalse],
      backoffLimit: [900_000, duration],
      maxEntries: [1_000, integer(1)],
      maxBytes: [50_000_000, size],
      maxEntryBytes: [5_000_000, size],
      idempotencyHeader: ['Idempotency-Key' as string | false, keyHeader],
      persistHeaders: [[], list(keptHeader)],
      authorize: [undefined, ofType<OutboxOptions['authorize']>('function')],
      onConflict: [undefined, ofType<OutboxOptions['onConflict']>('function')],
      resultTtl: [86_400_000, (value, option) => (value === false ? 0 : duration(value, option))],
      pollInterval: [60_000, positiveDuration],
      persist: [true, ofType<boolean>('boolean')],
      isDelivered: [undefined, ofType<OutboxOptions['isDelivered']>('function')],
      delivery: ['at-least-once' as const, delivery],
      blockLaneOnFailure: [false, ofType<boolean>('boolean')],
      concurrency: [6, integer(1)],
      encryption: [undefined, cipherRule],
      /** The tag; `''` for none. */
      backgroundSync: [
        '',
        (value, option) =>
          value === true ? SYNC_TAG : value === false ? '' : ofType<string>('string')(value, option),
      ],
    },
    given,
  );

/** The longest id and coalesce key, lane and partition, in characters: they are part of the store's keys. */
const LONGEST_ID = 255;
const LONGEST_LANE = 1_024;

const named =
  (longest: number): Rule<string> =>
  (value, option) => {
    const { length } = wellFormedString(value, option);
    const what = `1 to ${longest} characters, got ${length}`;
    return expected(what, length > 0 && length <= longest, value as string, option);
  };

/** @throws {ConfigurationError} for a partition that is too long to be part of the store's keys. */
export const checkPartition = (partition: string): string => named(LONGEST_LANE)(partition, 'partition');

const merge: Rule<Coalesce['merge']> = /* @__PURE__ */ rule(
  "'replace' or a function",
  (value) => value === 'replace' || typeof value === 'function',
);

const coalesce: Rule<Coalesce> = (value, option) => {
  const table = { key: [undefined as never, named(LONGEST_ID)], merge: [undefined, merge] } as const;
  const settings = readSettings(option, table, value);
  return expected('a key', settings.key !== undefined, settings, `${option}.key`);
};

const callTable = /* @__PURE__ */ settingsTable({
  lane: [undefined, /* @__PURE__ */ named(LONGEST_LANE)],
  id: [undefined, /* @__PURE__ */ named(LONGEST_ID)],
  coalesce: [undefined, coalesce],
  expiresAfter: [undefined, durationOrFalse],
  blockLaneOnFailure: [undefined, /* @__PURE__ */ ofType<boolean>('boolean')],
  delivery: [undefined, delivery],
  optimisticResult: [undefined, (value: unknown) => value],
  meta: [
    undefined as unknown,
    (value, option) => {
      try {
        return structuredClone(value);
      } catch {
        throw new ConfigurationError(option, value, 'expected plain data, which can be stored');
      }
    },
  ],
});

/** The options of one call, checked. */
export type CallOutboxSettings = SettingsOf<typeof callTable>;

export const readCallOutbox = (given: unknown): CallOutboxSettings =>
  readSettings('outbox', callTable, given === true ? {} : given);
