import {
  count,
  duration,
  headerName,
  limit,
  list,
  oneOf,
  type Rule,
  readOptions,
  size,
  span,
  typed,
  wellFormed,
} from '../../core/check.ts';
import type { Duration, Size } from '../../core/durations.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { type Match, matcher } from '../../core/match.ts';
import { type AtomicStore, atomicStoreRule } from '../../core/store.ts';
import type { OutboxEntry } from './entry.ts';

export interface OutboxOptions {
  /** Where entries are kept. Default: IndexedDB; where there is none, a store has to be named. */
  readonly store?: AtomicStore;
  /** Writes that are taken without being asked for one by one. Default: none. */
  readonly match?: Match;
  /** The caller gets its `202` at the latest after this, while delivery goes on. Default 2 s. */
  readonly answerAfter?: Duration;
  /** Sendings until an entry becomes a dead letter. Default 10. */
  readonly attempts?: number;
  /** Age at which it does. Default 7 d. */
  readonly expiresAfter?: Duration | false;
  /** The longest backoff between two sendings; the first is up to 2 s, and it doubles. Default 15 min. */
  readonly backoffLimit?: Duration;
  /** Entries that wait, all partitions together. Default 1,000. */
  readonly maxEntries?: number;
  /** Bytes of their bodies. Default 50 MB. */
  readonly maxBytes?: Size;
  /** Bytes of one body. Default 5 MB. */
  readonly maxEntryBytes?: Size;
  /** The header that carries the key; `false` for none. Default `'Idempotency-Key'`. */
  readonly idempotencyHeader?: string | false;
  /** Headers that are written to disk besides the few that are safe. */
  readonly keepHeaders?: readonly string[];
  /** Puts back, at each sending, what is not written to disk: sets the request's headers, or gives another request. */
  readonly authorize?: (request: Request, entry: OutboxEntry) => Authorized | Promise<Authorized>;
  /** For 409 and 412: `'again'`, `'drop'` or `'dead'`. Default: 409 twice again (the key may be in process), then dead. */
  readonly onConflict?: (response: Response, entry: OutboxEntry) => Conflict | Promise<Conflict>;
  /** How long an answer can be asked for by `result(id)`; `false` for not at all. Default 24 h. */
  readonly storeResult?: Duration | false;
  /** How often to look for entries without another reason. Default 1 min. */
  readonly every?: Duration;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only sets headers returns nothing
type Authorized = Request | undefined | void;

export type Conflict = 'again' | 'drop' | 'dead';

/** What one call may say. */
export interface CallOutbox {
  /** Order is kept within a lane. Default: the origin. */
  readonly lane?: string;
  /** The same id given twice is one entry. */
  readonly id?: string;
  /** The value that the client's body shortcuts give for a write that waits, instead of a `QueuedError`. */
  readonly answer?: unknown;
  /** Plain data of the application, kept with the entry. */
  readonly meta?: unknown;
}

/** A page of entries. */
export interface EntriesQuery {
  readonly state?: OutboxEntry['state'];
  readonly lane?: string;
  /** The `key` of the last entry of the page before. */
  readonly after?: string;
  /** Default 50. */
  readonly limit?: number;
}

export interface OutboxSettings {
  store: AtomicStore;
  match: Match | undefined;
  answerAfter: number;
  attempts: number;
  expiresAfter: number;
  backoffLimit: number;
  maxEntries: number;
  maxBytes: number;
  maxEntryBytes: number;
  idempotencyHeader: string | false;
  keepHeaders: string[];
  authorize: OutboxOptions['authorize'];
  onConflict: OutboxOptions['onConflict'];
  storeResult: number;
  every: number;
}

/** How long the store may take for one operation, in ms; some browsers never answer an open. */
export const STORE_PATIENCE = 10_000;

const rules: { [K in keyof OutboxSettings]: Rule<OutboxSettings[K]> } = {
  store: atomicStoreRule,
  match: matcher,
  answerAfter: duration,
  attempts: count(1),
  expiresAfter: limit,
  backoffLimit: duration,
  maxEntries: count(1),
  maxBytes: size,
  maxEntryBytes: size,
  idempotencyHeader: (value, option) => (value === false ? value : headerName(value, option)),
  keepHeaders: list((value, option) => headerName(value, option).toLowerCase()),
  authorize: typed('function'),
  onConflict: typed('function'),
  storeResult: (value, option) => (value === false ? 0 : duration(value, option)),
  every: span,
};

export const readOutboxOptions = (given: OutboxOptions, store: AtomicStore): OutboxSettings =>
  readOptions<OutboxSettings>('outbox', given, rules, {
    store,
    match: undefined,
    answerAfter: 2_000,
    attempts: 10,
    expiresAfter: 7 * 86_400_000,
    backoffLimit: 900_000,
    maxEntries: 1_000,
    maxBytes: 50_000_000,
    maxEntryBytes: 5_000_000,
    idempotencyHeader: 'Idempotency-Key',
    keepHeaders: [],
    authorize: undefined,
    onConflict: undefined,
    storeResult: 86_400_000,
    every: 60_000,
  });

const text = typed<string>('string');

const rulesOfCall: { [K in keyof CallOutbox]-?: Rule<CallOutbox[K]> } = {
  lane: wellFormed,
  id: wellFormed,
  answer: (value) => value,
  meta(value, option) {
    try {
      return structuredClone(value);
    } catch {
      throw new ConfigurationError(option, value, 'expected plain data, which can be stored');
    }
  },
};

export const readCallOutbox = (given: unknown): CallOutbox =>
  given === true ? {} : readOptions<CallOutbox>('outbox', given as CallOutbox, rulesOfCall, {});

export const readQuery = (given: EntriesQuery): EntriesQuery =>
  readOptions<EntriesQuery>(
    'entries',
    given,
    { state: oneOf('waiting', 'dead'), lane: wellFormed, after: text, limit: count(1) },
    {},
  );
