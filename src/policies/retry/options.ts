import type { Run } from '../../core/stage.ts';
import { IDEMPOTENT_METHODS, newKey } from '../../http/idempotency.ts';
import type { Duration, Size } from '../../primitives/units.ts';
import {
  between,
  duration,
  expected,
  integer,
  list,
  ofType,
  oneOf,
  type Rule,
  readOptions,
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

/** The options, read. */
export interface Plan extends Read {
  /** `maxRetryAfter` was named. */
  capsRetryAfter: boolean;
}

interface Read {
  limit: number;
  methods: string[];
  statusCodes: number[];
  afterStatusCodes: number[];
  delay: (attempt: number) => number;
  backoffLimit: number;
  jitter: Spread;
  maxRetryAfter: number;
  /** Absent: by evidence. */
  retryOnTimeout: boolean | undefined;
  shouldRetry: RetryOptions['shouldRetry'] | undefined;
  beforeRetry: RetryOptions['beforeRetry'] | undefined;
  bodyLimit: number;
  until: 'headers' | WholeBody | undefined;
  idempotencyKey: ((request: Request, random: () => number) => string) | undefined;
  budget: number;
}

/** @param first The backoff before the first retry. @param before The wait before this one, at first 0. */
type Spread = (backoff: number, random: () => number, first: number, before: number) => number;

const STATUSES = [408, 413, 425, 429, 500, 502, 503, 504];

const spreads: Record<Jitter, Spread> = {
  added: (backoff, random) => backoff * (1 + random() / 2),
  full: (backoff, random) => backoff * random(),
  equal: (backoff, random) => (backoff * (1 + random())) / 2,
  decorrelated: (_, random, first, before) => first + random() * (3 * Math.max(first, before) - first),
  none: (backoff) => backoff,
};

const DEFAULTS: Read = {
  limit: 2,
  methods: [...IDEMPOTENT_METHODS],
  statusCodes: STATUSES,
  afterStatusCodes: STATUSES,
  delay: (attempt) => 300 * 2 ** (attempt - 1),
  backoffLimit: 10_000,
  jitter: spreads.added,
  maxRetryAfter: 60_000,
  retryOnTimeout: undefined,
  shouldRetry: undefined,
  beforeRetry: undefined,
  bodyLimit: 1_000_000,
  until: undefined,
  idempotencyKey: undefined,
  budget: 4,
};

const jitter: Rule<Spread> = (value, option) => {
  if (typeof value === 'function') return (backoff) => value(backoff);
  const named = oneOf<unknown>(...Object.keys(spreads), true, false)(value, option);
  return spreads[named === true ? 'full' : named === false ? 'none' : (named as Jitter)];
};

const idempotencyKey: Rule<Plan['idempotencyKey']> = (value, option) =>
  typeof value === 'function'
    ? (value as Plan['idempotencyKey'])
    : ofType<boolean>('boolean')(value, option)
      ? (_, random) => newKey(random)
      : undefined;

const status = between(100, 599);

const rules: { [K in keyof Read]: Rule<Read[K]> } = {
  limit: integer(),
  methods: list((value, option) => ofType<string>('string')(value, option).toUpperCase()),
  statusCodes: list(status),
  afterStatusCodes: list(status),
  delay: ofType('function'),
  backoffLimit: duration,
  jitter,
  maxRetryAfter: duration,
  retryOnTimeout: ofType('boolean'),
  shouldRetry: ofType('function'),
  beforeRetry: ofType('function'),
  bodyLimit: size,
  until: (value, option) =>
    expected(
      "'headers', or wholeBody without quotes",
      value === 'headers' || typeof value === 'function',
      value as 'headers',
      option,
    ),
  idempotencyKey,
  budget: (value, option) => (value === false ? Infinity : between(0, Infinity)(value, option)),
};

export const asObject = (given: unknown): RetryOptions =>
  typeof given === 'object' && given ? given : { limit: given === false ? 0 : (given as number) };

/** @throws {ConfigurationError} on options that cannot be meant. */
export function readPlan(given: unknown): Plan {
  const options = asObject(given);
  const { afterStatusCodes, maxRetryAfter } = options;
  const read = readOptions('retry', options, rules, DEFAULTS);
  return {
    ...read,
    afterStatusCodes: afterStatusCodes === undefined ? read.statusCodes : read.afterStatusCodes,
    capsRetryAfter: maxRetryAfter !== undefined,
  };
}
