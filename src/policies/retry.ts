import { follow } from '../core/abort.ts';
import { dropBody } from '../core/body.ts';
import {
  between,
  count,
  duration,
  list,
  memoized,
  oneOf,
  type Rule,
  readOptions,
  size,
  typed,
} from '../core/check.ts';
import { sleep } from '../core/clock.ts';
import { type Call, type Handler, named, type Policy } from '../core/contract.ts';
import type { Duration, Size } from '../core/durations.ts';
import { isFailure } from '../core/errors.ts';
import { PerOrigin } from '../core/origins.ts';
import { replay } from '../core/replay.ts';
import { IDEMPOTENCY_KEY, IDEMPOTENT_METHODS } from '../http/idempotency.ts';
import { retryAfter } from '../http/retry-after.ts';

/** How chance spreads the waits of many clients (Brooker, "Exponential Backoff and Jitter", 2015). */
export type Jitter = 'full' | 'none';

export interface RetryOptions {
  /** How many attempts follow the first. Default 2. */
  readonly limit?: number;
  /** Methods that may be repeated without an `Idempotency-Key`. Default: the idempotent ones. */
  readonly methods?: readonly string[];
  /** Statuses worth another attempt. Default 408, 413 (only with `Retry-After`), 425, 429, 500, 502, 503, 504. */
  readonly statusCodes?: readonly number[];
  /** Statuses whose `Retry-After` is heard. Default: all of `statusCodes`. */
  readonly afterStatusCodes?: readonly number[];
  /** Before the n-th retry (from 1), in ms. Default `300 * 2 ** (n - 1)`. */
  readonly delay?: (attempt: number) => number;
  /** The longest backoff. Default 10 s. */
  readonly backoffLimit?: Duration;
  /** Default `'full'`: a random wait between 0 and the backoff. A function gets the backoff. `true` is `'full'`. */
  readonly jitter?: Jitter | boolean | ((delay: number) => number);
  /** The longest wait that an origin may ask for; what it asks beyond ends the call at once. Default 60 s. */
  readonly maxRetryAfter?: Duration;
  /** Whether an attempt that ran out of time is repeated. Default true. */
  readonly retryOnTimeout?: boolean;
  /** Has the first word: `true` repeats, `false` does not, anything else leaves it to the rules. */
  readonly shouldRetry?: (state: RetryState) => boolean | undefined | Promise<boolean | undefined>;
  /** Runs after the wait; may give another request to send, or a response to end with. */
  readonly beforeRetry?: (state: RetryState) => Resumed | Promise<Resumed>;
  /** How much of a body that can be read only once is kept for a repetition. Default 1 MB. */
  readonly bodyLimit?: Size;
  /** Retries that an origin may cost at once; a first attempt that succeeds gives 0.2 back. Default 10; `false`: no end. */
  readonly budget?: number | false;
}

// biome-ignore lint/suspicious/noConfusingVoidType: a hook that only looks returns nothing
type Resumed = Request | Response | undefined | void;

export interface RetryState {
  /** As the first attempt got it; its body may have been read. */
  readonly request: Request;
  readonly error?: Error;
  readonly response?: Response;
  /** Of the retry that would come, from 1. */
  readonly retryCount: number;
}

/** A number is the limit. */
export type RetryOption = RetryOptions | number | false;

interface Plan {
  limit: number;
  methods: string[];
  statusCodes: number[];
  afterStatusCodes: number[];
  delay: (attempt: number) => number;
  backoffLimit: number;
  jitter: (delay: number, random: () => number) => number;
  maxRetryAfter: number;
  retryOnTimeout: boolean;
  shouldRetry: RetryOptions['shouldRetry'] | undefined;
  beforeRetry: RetryOptions['beforeRetry'] | undefined;
  bodyLimit: number;
  budget: number;
}

const STATUSES = [408, 413, 425, 429, 500, 502, 503, 504];

const full: Plan['jitter'] = (delay, random) => delay * random();

const DEFAULTS: Plan = {
  limit: 2,
  methods: [...IDEMPOTENT_METHODS],
  statusCodes: STATUSES,
  afterStatusCodes: STATUSES,
  delay: (attempt) => 300 * 2 ** (attempt - 1),
  backoffLimit: 10_000,
  jitter: full,
  maxRetryAfter: 60_000,
  retryOnTimeout: true,
  shouldRetry: undefined,
  beforeRetry: undefined,
  bodyLimit: 1_000_000,
  budget: 10,
};

const jitter: Rule<Plan['jitter']> = (value, option) => {
  if (typeof value === 'function') return (delay) => value(delay);
  return oneOf<unknown>('full', 'none', true, false)(value, option) === 'full' || value === true
    ? full
    : (delay) => delay;
};

const status = between(100, 599);

const rules: { [K in keyof Plan]: Rule<Plan[K]> } = {
  limit: count(),
  methods: list((value, option) => typed<string>('string')(value, option).toUpperCase()),
  statusCodes: list(status),
  afterStatusCodes: list(status),
  delay: typed('function'),
  backoffLimit: duration,
  jitter,
  maxRetryAfter: duration,
  retryOnTimeout: typed('boolean'),
  shouldRetry: typed('function'),
  beforeRetry: typed('function'),
  bodyLimit: size,
  budget: (value, option) => (value === false ? Infinity : between(0, Infinity)(value, option)),
};

/** What is spent of the tokens of an origin. */
interface Budget {
  spent: number;
}

const GIVEN_BACK = 0.2;

/**
 * Repeats what may be repeated: idempotent methods and requests with an `Idempotency-Key`, after network errors,
 * time-outs of an attempt, and the statuses that say "later".
 *
 * @param base Default: 2 retries, full jitter over 300 ms · 2ⁿ up to 10 s, a budget of 10 per origin.
 */
export function retry(base: RetryOption = {}): Policy {
  const read = (given: unknown): Plan => readOptions('retry', asObject(given), rules, DEFAULTS);
  const standard = read(base);
  const planOf = memoized((own) => read({ ...asObject(base), ...asObject(own) }));
  const budgets = new PerOrigin(() => ({ spent: 0 }));

  return named('retry', (next) => (request, call) => {
    const own = call.options.retry;
    const plan = own === undefined ? standard : planOf(own);
    const repeatable = plan.methods.includes(request.method) || request.headers.has(IDEMPOTENCY_KEY);
    if (plan.limit === 0 || !repeatable) return next(request, call);
    const calls = { next, request, call, plan, budget: budgets.get(call.origin) };
    // The usual call has no body and succeeds: it should cost as little as may be.
    if (request.body === null) return begin(calls, () => request);
    // Before the first attempt: afterwards the body is gone.
    return replay(request, plan.bodyLimit).then((again) => begin(calls, again));
  });
}

/** What all attempts of a call have in common. */
interface Calls {
  readonly next: Handler;
  readonly request: Request;
  readonly call: Call;
  readonly plan: Plan;
  readonly budget: Budget;
}

/** Makes the next request to send; absent where the body cannot be sent again. */
type Again = (() => Request) | undefined;

/** How an attempt ended: one of the two. */
interface Outcome {
  readonly response?: Response;
  readonly error?: unknown;
}

function begin(calls: Calls, again: Again): Promise<Response> {
  const { next, request, call, plan, budget } = calls;
  return next(request, call).then(
    (response) => {
      if (!response.ok) return persist(calls, again, { response });
      budget.spent = Math.max(0, budget.spent - GIVEN_BACK);
      return plan.shouldRetry ? persist(calls, again, { response }) : response;
    },
    (error) => persist(calls, again, { error }),
  );
}

/** Goes on after the first attempt. */
async function persist(calls: Calls, again: Again, first: Outcome): Promise<Response> {
  const { next, request, call, plan, budget } = calls;
  let { response, error }: Outcome = first;
  for (let attempt = 1; ; attempt++) {
    if (!response && call.signal.aborted) throw error;
    const state: RetryState = {
      request,
      retryCount: attempt,
      ...(response && { response }),
      ...(error instanceof Error && { error }),
    };
    const wait = attempt <= plan.limit && again ? await waitBefore(state, call, plan, budget) : undefined;
    if (wait === undefined || !again) {
      if (response) return response;
      throw error;
    }
    call.emit?.({
      type: 'retry',
      callId: call.id,
      origin: call.origin,
      attempt: attempt + 1,
      delay: wait,
      cause: response ? response.status : error,
    });
    // An unread body keeps its connection; a hook may still want to read it.
    if (!plan.beforeRetry) dropBody(response);
    await sleep(wait, call);
    await untilOnline(call);
    const resumed = await plan.beforeRetry?.(state);
    if (plan.beforeRetry) dropBody(response);
    if (resumed instanceof Response) return resumed;
    response = error = undefined;
    try {
      response = await next(resumed ?? again(), { ...call, attempt: attempt + 1 });
      if (response.ok && !plan.shouldRetry) return response;
    } catch (thrown) {
      error = thrown;
    }
  }
}

const asObject = (given: unknown): RetryOptions =>
  typeof given === 'object' && given ? given : { limit: given === false ? 0 : (given as number) };

/** Milliseconds to the next attempt; `undefined` if there is to be none. */
async function waitBefore(
  state: RetryState,
  call: Call,
  plan: Plan,
  budget: Budget,
): Promise<number | undefined> {
  const { clock, random } = call.host;
  const { response, error, retryCount } = state;
  const word = await plan.shouldRetry?.(state);
  if (word === false) return undefined;
  const now = clock.now();
  const asked =
    response && plan.afterStatusCodes.includes(response.status)
      ? retryAfter(response.headers, now)
      : undefined;
  if (word !== true && !(response ? saysLater(response, asked, plan) : isTransient(error, plan)))
    return undefined;

  const backoff = plan.jitter(Math.min(plan.backoffLimit, plan.delay(retryCount)), random);
  // Jitter on top of what was asked, or all who were turned away come back together.
  const wait = asked === undefined ? backoff : asked + backoff;
  const abandon = (reason: string): void =>
    call.emit?.({
      type: 'retry-abandoned',
      callId: call.id,
      origin: call.origin,
      reason,
      retryAt: now + wait,
    });
  if (asked !== undefined && asked > plan.maxRetryAfter) return abandon('retry-after') as undefined;
  if (call.deadline !== undefined && clock.ticks() + wait >= call.deadline)
    return abandon('total') as undefined;
  if (budget.spent + 1 > plan.budget) return abandon('budget') as undefined;
  budget.spent++;
  return wait;
}

function saysLater({ status }: Response, asked: number | undefined, plan: Plan): boolean {
  if (status === 413 && asked === undefined) return false;
  return plan.statusCodes.includes(status);
}

/** Refusals are not repeated: the origin was not even asked. */
const isTransient = (error: unknown, plan: Plan): boolean =>
  isFailure(error) && (error.code === 'network' || (plan.retryOnTimeout && error.code === 'timeout-attempt'));

/** While the host is offline, a retry waits for the host and not for a timer. */
function untilOnline({ host: { online }, signal }: Call): Promise<void> | undefined {
  if (online.state) return undefined;
  return new Promise((resolve, reject) => {
    const end = (): void => {
      unsubscribe();
      unfollow();
    };
    const unsubscribe = online.subscribe((up) => {
      if (!up) return;
      end();
      resolve();
    });
    const unfollow = follow(signal, (reason) => {
      unsubscribe();
      reject(reason);
    });
  });
}
