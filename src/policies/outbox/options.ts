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
import { type Codec, codecRule } from '../../core/codec.ts';
import type { Duration, Size } from '../../core/durations.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { type Match, matcher } from '../../core/match.ts';
import { type AtomicStore, atomicStoreRule } from '../../core/store.ts';
import { CREDENTIALS } from '../../http/credentials.ts';
import type { OutboxEntry, UnknownOutcome } from './entry.ts';

export interface OutboxOptions {
  /** Where entries are kept. Default: IndexedDB; where there is none, a store has to be named. */
  readonly store?: AtomicStore;
  /** Writes that are taken without being asked for one by one. Default: none. */
  readonly match?: Match;
  /** The caller gets its `202` at the latest so long after the call, while delivery goes on. Default 2 s. */
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
  /**
   * For 409 and 412: `'again'`, `'drop'` (it is done), `'dead'`, or another request to be sent instead, with a new key.
   * `request` is what was sent. Default: 409 twice again (the key may be in process), then dead.
   */
  readonly onConflict?: (
    response: Response,
    entry: OutboxEntry,
    request: Request,
  ) => Conflict | Request | Promise<Conflict | Request>;
  /** Whether a 2xx is the origin's own: a captive portal says 200, too. It is asked again later where this is false. */
  readonly accept?: (response: Response, entry: OutboxEntry) => boolean | Promise<boolean>;
  /**
   * What is done about a write that may have taken effect, because its answer was lost: `'retry'` (default) sends it
   * again with the same key; `'dead'` makes it a dead letter, so that it takes effect at most once also where the origin
   * knows nothing of keys. PUT and DELETE are always sent again.
   */
  readonly unknownOutcome?: UnknownOutcome;
  /** A dead letter stops its lane until it is replayed or removed. Default `false`: the lane goes on. */
  readonly strict?: boolean;
  /** Lanes of one origin that send at once. Default 6. */
  readonly concurrency?: number;
  /** Seals what is written; see `encryptWith`. */
  readonly codec?: Codec;
  /**
   * Asks the browser to wake the service worker when the network is back, also with all pages closed (Background Sync).
   * `true`, or the tag. Needs a service worker with `holdfast/service-worker`. Default `false`.
   */
  readonly backgroundSync?: boolean | string;
  /** How long an answer can be asked for by `result(id)`; `false` for not at all. Default 24 h. */
  readonly storeResult?: Duration | false;
  /** How often to look for entries without another reason. Default 1 min. */
  readonly every?: Duration;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only sets headers returns nothing
type Authorized = Request | undefined | void;

export type Conflict = 'again' | 'drop' | 'dead';

/** What one call may say. */
export type CallOutbox = EveryCallOutbox &
  (Coalescing | { readonly key?: undefined; readonly merge?: undefined });

interface EveryCallOutbox {
  /** Order is kept within a lane. Default: the origin. */
  readonly lane?: string;
  /** The same id given twice is one entry. */
  readonly id?: string;
  /** The value that the client's body shortcuts give for a write that waits, instead of a `QueuedError`. */
  readonly answer?: unknown;
  /** Plain data of the application, kept with the entry. */
  readonly meta?: unknown;
  /** As in `OutboxOptions`, for this write. */
  readonly expiresAfter?: Duration | false;
  readonly strict?: boolean;
  readonly unknownOutcome?: UnknownOutcome;
}

interface Coalescing {
  /** Of several writes under one key in a lane that are still unsent only one is kept: the first one's place, by `merge`. */
  readonly key: string;
  /**
   * What becomes of two writes under one `key`: `'replace'` (default) keeps the later; a function gives the request to be
   * sent for both.
   */
  readonly merge?: 'replace' | Merge;
}

export type Merge = (earlier: Request, later: Request) => Request | Promise<Request>;

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
  accept: OutboxOptions['accept'];
  unknownOutcome: UnknownOutcome;
  strict: boolean;
  concurrency: number;
  codec: Codec | undefined;
  /** The tag; `''` for none. */
  backgroundSync: string;
}

/** What one call has said. */
export interface CallOutboxSettings extends Omit<CallOutbox, 'expiresAfter'> {
  readonly expiresAfter?: number;
}

/** How long the store may take for one operation, in ms; some browsers never answer an open. */
export const STORE_PATIENCE = 10_000;

/** How long a hook of the application may take, in ms: a lane waits for it. */
export const HOOK_PATIENCE = 30_000;

const keptHeader: Rule<string> = (value, option) => {
  const name = headerName(value, option).toLowerCase();
  if (!CREDENTIALS.includes(name)) return name;
  throw new ConfigurationError(
    option,
    value,
    'credentials are not written to disk: `authorize` puts them back',
  );
};

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
  keepHeaders: list(keptHeader),
  authorize: typed('function'),
  onConflict: typed('function'),
  storeResult: (value, option) => (value === false ? 0 : duration(value, option)),
  every: span,
  accept: typed('function'),
  unknownOutcome: oneOf('retry', 'dead'),
  strict: typed('boolean'),
  concurrency: count(1),
  codec: codecRule,
  backgroundSync: (value, option) =>
    value === true ? SYNC_TAG : value === false ? '' : typed<string>('string')(value, option),
};

/** The tag under which the service worker is woken. */
export const SYNC_TAG = 'holdfast-outbox';

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
    accept: undefined,
    unknownOutcome: 'retry',
    strict: false,
    concurrency: 6,
    codec: undefined,
    backgroundSync: '',
  });

const rulesOfCall: { [K in keyof CallOutboxSettings]-?: Rule<CallOutboxSettings[K]> } = {
  lane: wellFormed,
  id: wellFormed,
  key: wellFormed,
  merge: (value, option) => {
    if (value === 'replace' || typeof value === 'function') return value as Merge;
    throw new ConfigurationError(option, value, "expected 'replace' or a function");
  },
  expiresAfter: limit,
  strict: typed('boolean'),
  unknownOutcome: oneOf('retry', 'dead'),
  answer: (value) => value,
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
  const read = readOptions<CallOutboxSettings>('outbox', given as CallOutbox, rulesOfCall, {});
  if (read.merge === undefined || read.key !== undefined) return read;
  throw new ConfigurationError(
    'outbox.merge',
    read.merge,
    'it needs a `key` that says which writes are meant',
  );
}

/** A function that the application gives. */
export const functionRule = typed<(...args: never[]) => unknown>('function');
