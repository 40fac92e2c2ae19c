import type { Run } from '../../core/stage.ts';
import { IDEMPOTENT_METHODS, newKey } from '../../http/idempotency.ts';
import type { Duration, Size } from '../../primitives/units.ts';
import {
  between,
  duration,
  integer,
  list,
  methods,
  ofType,
  oneOf,
  type Rule,
  readSettings,
  rule,
  type SettingsOf,
  settingsTable,
  size,
} from '../../primitives/validate.ts';

/** How chance spreads the waits of many clients (Brooker, "Exponential Backoff and Jitter", 2015). */
export type Jitter = 'added' | 'full' | 'equal' | 'decorrelated' | 'none';

export interface RetryOptions {
  /** How many attempts follow the first. Default 2. */
  readonly limit?: number;
  /** Methods that may be repeated without an `Idempotency-Key`. Default: the idempotent ones. */
  readonly methods?: readonly string[];
  /** Statuses worth another attempt. Default 408, 413 (only with `Retry-After`), 425, 429, 500, 502, 503, 504. */
  readonly statusCodes?: readonly number[];
  /** Statuses whose `Retry-After` is respected. Default: all of `statusCodes`. */
  readonly afterStatusCodes?: readonly number[];
  /** Before the n-th retry (from 1), in ms. Default `300 * 2 ** (n - 1)`. */
  readonly delay?: (attempt: number) => number;
  /** The longest backoff. Default 10 s. */
  readonly backoffLimit?: Duration;
  /**
   * Default `'added'`: the backoff and up to half of it on top; `'full'`: a random wait between 0 and the backoff; `'equal'`:
   * between its half and all of it; `'decorrelated'`: between the first backoff and three times the wait before. A function
   * gets the backoff. `true` is `'full'`.
   */
  readonly jitter?: Jitter | boolean | ((delay: number) => number);
  /**
   * The longest wait for what an origin asks: a call that is asked for more waits that long. Where nothing is named, more than
   * 60 s ends the call at once.
   */
  readonly maxRetryAfter?: Duration;
  /**
   * Whether an attempt that ran out of time is repeated. Default: if the origin responds to others, or did within the last
   * 30 s and nothing else has run out of time since. What hangs in an outage would come twice when the origin is back.
   */
  readonly retryOnTimeout?: boolean;
  /** Has the first word: `true` repeats, `false` does not, anything else leaves it to the rules. */
  readonly shouldRetry?: (state: RetryState) => boolean | undefined | Promise<boolean | undefined>;
  /** Runs after the wait; may give another request to send, or a response to end with. */
  readonly beforeRetry?: (state: RetryState) => Resumed | Promise<Resumed>;
  /** How much of a body that can be read only once is kept for a repetition, in bytes. Default 1 MB. */
  readonly bodyLimit?: Size;
  /**
   * What an attempt is: `'headers'`, or `wholeBody`, which is imported: a body of up to `bodyLimit` is taken before the response
   * is handed over, so that one which breaks off or stalls is a failed attempt; a larger one streams from there. Default
   * `'headers'`; `wholeBody` for the shortcuts of `createClient`, which want the whole body.
   */
  readonly until?: 'headers' | WholeBody;
  /**
   * Gives a request whose method may not be repeated an `Idempotency-Key`, so that it may; `true` makes a random one.
   * The origin has to honour it. Default false.
   */
  readonly idempotencyKey?: boolean | ((request: Request) => string);
  /**
   * Retries that an origin may cost without a success in between. While attempts succeed, and for calls that began before
   * it was used up, the first two retries are always allowed. Default 4; `false`: no limit.
   */
  readonly budget?: number | false;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
export type Resumed = Request | Response | undefined | void;

export interface RetryState {
  /** What is sent next, unless a hook gives another request. */
  readonly request: Request;
  readonly error?: Error;
  readonly response?: Response;
  /** Of the retry that would come, from 1. */
  readonly retryCount: number;
}

/** Takes the body of a response into the attempt: `wholeBody`. */
export type WholeBody = (run: Run, bodyLimit: number) => Promise<void>;

/** A number is the limit. */
export type RetryOption = RetryOptions | number | false;

/** How long to wait. @param first The backoff before the first retry. @param before The wait before this one, at first 0. */
type Spread = (backoff: number, random: () => number, first: number, before: number) => number;

const spreads: Record<Jitter, Spread> = {
  added: (backoff, random) => backoff * (1 + random() / 2),
  full: (backoff, random) => backoff * random(),
  equal: (backoff, random) => (backoff * (1 + random())) / 2,
  decorrelated: (_, random, first, before) => first + random() * (3 * Math.max(first, before) - first),
  none: (backoff) => backoff,
};

const jitter: Rule<Spread> = (value, option) => {
  if (typeof value === 'function') return (backoff) => value(backoff);
  const named = oneOf<unknown>(...Object.keys(spreads), true, false)(value, option);
  return spreads[named === true ? 'full' : named === false ? 'none' : (named as Jitter)];
};

/** Makes the key of a request; `true` makes a random one. */
const keyMaker: Rule<((request: Request, random: () => number) => string) | undefined> = (value, option) =>
  typeof value === 'function'
    ? (value as (request: Request) => string)
    : ofType<boolean>('boolean')(value, option)
      ? (_, random) => newKey(random)
      : undefined;

const until: Rule<WholeBody | 'headers'> = /* @__PURE__ */ rule(
  "'headers', or wholeBody without quotes",
  (value) => value === 'headers' || typeof value === 'function',
);

const STATUSES = [408, 413, 425, 429, 500, 502, 503, 504];

const statuses = /* @__PURE__ */ list(between(100, 599));

const OPTIONS = /* @__PURE__ */ settingsTable({
  limit: [2, integer()],
  methods: [IDEMPOTENT_METHODS, methods],
  statusCodes: [STATUSES, statuses],
  /** Absent: as `statusCodes`. */
  afterStatusCodes: [undefined, statuses],
  delay: [(attempt: number) => 300 * 2 ** (attempt - 1), ofType<(attempt: number) => number>('function')],
  backoffLimit: [10_000, duration],
  jitter: [spreads.added, jitter],
  /** Absent: no wait is shortened, and none above 60 s is made. */
  maxRetryAfter: [undefined, duration],
  /** Absent: by evidence. */
  retryOnTimeout: [undefined, ofType<boolean>('boolean')],
  shouldRetry: [undefined, ofType<RetryOptions['shouldRetry']>('function')],
  beforeRetry: [undefined, ofType<RetryOptions['beforeRetry']>('function')],
  bodyLimit: [1_000_000, size],
  until: [undefined, until],
  idempotencyKey: [undefined, keyMaker],
  budget: [4, (value, option) => (value === false ? Infinity : between(0, Infinity)(value, option))],
});

/** The options, read. */
export type Plan = SettingsOf<typeof OPTIONS>;

/** A number is the limit. */
export const asRetryOptions = (given: unknown): RetryOptions => {
  if (given === undefined) return {};
  return typeof given === 'object' && given ? given : { limit: given === false ? 0 : (given as number) };
};

/** @throws {ConfigurationError} on options that cannot be meant. */
export const readPlan = (...layers: unknown[]): Plan =>
  readSettings('retry', OPTIONS, ...layers.map(asRetryOptions));
