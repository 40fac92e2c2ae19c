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
  readOptions,
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
  /** Restores, for each attempt, what is not written to disk: sets the request's headers, or returns another request. */
  readonly authorize?: (request: Request, entry: OutboxEntry<Meta>) => Authorized | Promise<Authorized>;
  /**
   * For 409 and 412: `'again'`, `'drop'` (it is done), `'dead-letter'`, or another request to be sent instead, with a new key.
   * `request` is what was sent. Default: 409 twice again (the key may be in process), then a dead letter.
   */
  readonly onConflict?: (
    response: Response,
    entry: OutboxEntry<Meta>,
    request: Request,
  ) => Conflict | Request | Promise<Conflict | Request>;
  /** Whether a 2xx is the origin's own: a captive portal says 200, too. If false, the entry is sent again later. */
  readonly isDelivered?: (response: Response, entry: OutboxEntry<Meta>) => boolean | Promise<boolean>;
  /**
   * What is done about a write that may have taken effect, because its response was lost: `'at-least-once'` (default)
   * sends it again with the same key; `'at-most-once'` makes it a dead letter, also if the origin ignores
   * keys. PUT and DELETE are always sent again.
   */
  readonly delivery?: DeliveryGuarantee;
  /** A dead letter stops its lane until it is replayed or removed. Default `false`: the lane goes on. */
  readonly blockLaneOnFailure?: boolean;
  /** Lanes of one origin that send at once. Default 6. */
  readonly concurrency?: number;
  /** Encrypts what is written; see `encryptWith`. */
  readonly encryption?: Cipher;
  /**
   * Asks the browser to wake the service worker when the network is back, also with all pages closed (Background Sync).
   * `true`, or the tag. Needs a service worker with `holdfast/service-worker`. Default `false`.
   */
  readonly backgroundSync?: boolean | string;
  /** How long `result(id)` has the response; `false` for not at all. Default 24 h. */
  readonly resultTtl?: Duration | false;
  /** How often to look for entries without another trigger. Default 1 min. */
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

export interface OutboxSettings {
  store: AtomicStore;
  match: Match | undefined;
  respondAfter: number;
  attempts: number;
  expiresAfter: number;
  backoffLimit: number;
  maxEntries: number;
  maxBytes: number;
  maxEntryBytes: number;
  idempotencyHeader: string | false;
  persistHeaders: string[];
  authorize: OutboxOptions['authorize'];
  onConflict: OutboxOptions['onConflict'];
  resultTtl: number;
  pollInterval: number;
  persist: boolean;
  isDelivered: OutboxOptions['isDelivered'];
  delivery: DeliveryGuarantee;
  blockLaneOnFailure: boolean;
  concurrency: number;
  encryption: Cipher | undefined;
  /** The tag; `''` for none. */
  backgroundSync: string;
}

/** The options of one call, checked. */
export interface CallOutboxSettings extends Omit<CallOutbox, 'expiresAfter'> {
  readonly expiresAfter?: number;
}

/** How long a hook of the application may take, in ms: a lane waits for it. */
export const HOOK_TIMEOUT = 30_000;

/** The name of a header that is written to disk. @param allowed For the error, if it carries credentials. */
const storedHeader =
  (allowed: string): Rule<string> =>
  (value, option) => {
    const name = headerName(value, option);
    if (!carriesCredentials(name)) return name;
    throw new ConfigurationError(option, value, allowed);
  };
const keptHeader = storedHeader('credentials are not written to disk: `authorize` puts them back');
const keyHeader = storedHeader('expected no header of credentials: the key is written to disk');

const rules: { [K in keyof OutboxSettings]: Rule<OutboxSettings[K]> } = {
  store: atomicStoreRule,
  match: urlMatchRule,
  respondAfter: duration,
  attempts: integer(1),
  expiresAfter: durationOrFalse,
  backoffLimit: duration,
  maxEntries: integer(1),
  maxBytes: size,
  maxEntryBytes: size,
  idempotencyHeader: (value, option) => (value === false ? value : keyHeader(value, option)),
  persistHeaders: list((value, option) => keptHeader(value, option).toLowerCase()),
  authorize: ofType('function'),
  onConflict: ofType('function'),
  resultTtl: (value, option) => (value === false ? 0 : duration(value, option)),
  pollInterval: positiveDuration,
  persist: ofType('boolean'),
  isDelivered: ofType('function'),
  delivery: oneOf('at-least-once', 'at-most-once'),
  blockLaneOnFailure: ofType('boolean'),
  concurrency: integer(1),
  encryption: cipherRule,
  backgroundSync: (value, option) =>
    value === true ? SYNC_TAG : value === false ? '' : ofType<string>('string')(value, option),
};

/** The tag under which the service worker is woken. */
export const SYNC_TAG = 'holdfast-outbox';

export const readOutboxOptions = (given: OutboxOptions, store: AtomicStore): OutboxSettings =>
  readOptions<OutboxSettings>('outbox', given, rules, {
    store,
    match: undefined,
    respondAfter: 2_000,
    attempts: 10,
    expiresAfter: 7 * 86_400_000,
    backoffLimit: 900_000,
    maxEntries: 1_000,
    maxBytes: 50_000_000,
    maxEntryBytes: 5_000_000,
    idempotencyHeader: 'Idempotency-Key',
    persistHeaders: [],
    authorize: undefined,
    onConflict: undefined,
    resultTtl: 86_400_000,
    pollInterval: 60_000,
    persist: true,
    isDelivered: undefined,
    delivery: 'at-least-once',
    blockLaneOnFailure: false,
    concurrency: 6,
    encryption: undefined,
    backgroundSync: '',
  });

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

const coalesceRules: { [K in keyof Coalesce]-?: Rule<Coalesce[K]> } = {
  key: named(LONGEST_ID),
  merge: (value, option) =>
    expected(
      "'replace' or a function",
      value === 'replace' || typeof value === 'function',
      value as Merge,
      option,
    ),
};

const rulesOfCall: { [K in keyof CallOutboxSettings]-?: Rule<CallOutboxSettings[K]> } = {
  lane: named(LONGEST_LANE),
  id: named(LONGEST_ID),
  coalesce: (value, option) => {
    const read = readOptions<Partial<Coalesce>>(option, value as object, coalesceRules, {});
    return expected('a key', read.key !== undefined, read as Coalesce, `${option}.key`);
  },
  expiresAfter: durationOrFalse,
  blockLaneOnFailure: ofType('boolean'),
  delivery: oneOf('at-least-once', 'at-most-once'),
  optimisticResult: (value) => value,
  meta(value, option) {
    try {
      return structuredClone(value);
    } catch {
      throw new ConfigurationError(option, value, 'expected plain data, which can be stored');
    }
  },
};

export function readCallOutbox(given: unknown): CallOutboxSettings {
  if (given === true) return {};
  return readOptions<CallOutboxSettings>('outbox', given as CallOutbox, rulesOfCall, {});
}

/** A function of the application. */
export const functionRule = ofType<(...args: never[]) => unknown>('function');
