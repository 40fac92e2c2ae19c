import { dropBody } from '../../core/body/body.ts';
import { replayable, withHeader } from '../../core/body/request-body.ts';
import { asResponse } from '../../core/body/response.ts';
import { isBodiless } from '../../core/body/watched-response.ts';
import { named, type Policy } from '../../core/contract.ts';
import { CircuitOpenError } from '../../core/errors.ts';
import { type Leaving, type Run, stage } from '../../core/stage.ts';
import { IDEMPOTENCY_KEY } from '../../http/idempotency.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isFailure } from '../../primitives/failure.ts';
import { LruMap } from '../../primitives/lru.ts';
import { perCall } from '../../primitives/validate.ts';
import { type Budget, hasBudget, newBudget, responded } from './budget.ts';
import { type Plan, type RetryOption, type RetryState, readPlan, type WholeBody } from './options.ts';
import { setAside } from './set-aside.ts';
import { isTransient, type RetryPassage, waitBefore } from './wait.ts';

/** How long a hook may take, in ms. */
const HOOK_LIMIT = 30_000;

/** A request without a body. */
const same = (): undefined => undefined;

/**
 * Repeats what may be repeated: idempotent methods and requests with an `Idempotency-Key`, after network errors, the
 * statuses that say "later", and time-outs of an attempt while the origin responds to others.
 *
 * @param base Default: 2 retries, after 300 ms · 2ⁿ and up to half of it more, at most 10 s; without any success, 4 for each
 *   origin.
 *
 * @example
 * const fetch = pipeline([retry({ limit: 4, statusCodes: [502, 503, 504] })]);
 */
export function retry(base: RetryOption = {}): Policy {
  const planOf = perCall(readPlan, base);
  const budgets = new LruMap(newBudget);

  return named(
    'retry',
    stage<RetryPassage | undefined>({
      enter(run) {
        const { call } = run;
        const plan = planOf(call.options.retry);
        const { idempotencyKey } = plan;
        if (plan.limit === 0) return undefined;
        if (!plan.methods.includes(run.method)) {
          const isKeyed = run.request.headers.has(IDEMPOTENCY_KEY);
          if ((!isKeyed || call.hasGeneratedKey) && !idempotencyKey) {
            run.call = { ...call, attemptsLeft: 0 };
            return undefined;
          }
          if (!isKeyed && idempotencyKey) {
            const key = idempotencyKey(run.request, call.host.random);
            run.request = withHeader(run.request, IDEMPOTENCY_KEY, key);
          }
        }
        const budget = budgets.get(run.origin);
        if (!run.outgoing.isMade || run.request.body === null) return begin(run, plan, budget, same);
        // Before the first attempt: afterwards the body is gone.
        return run
          .wait(Infinity, replayable(run.request, plan.bodyLimit))
          .then((again) => begin(run, plan, budget, again));
      },
      leave(run, passage) {
        if (!passage) return;
        const { until, bodyLimit } = passage.plan;
        // Of a failure its status counts, whatever becomes of its body.
        const whole =
          until !== 'headers' && ((run.response?.ok && (run.call.wantsBody as WholeBody)) || until);
        if (!whole || !run.response || isBodiless(run.response)) return next(run, passage);
        return async () => {
          await whole(run, bodyLimit);
          return next(run, passage)?.();
        };
      },
    }),
    { read: planOf },
  );
}

function begin(run: Run, plan: Plan, budget: Budget, again: RetryPassage['again']): RetryPassage {
  const now = run.ticks;
  return {
    plan,
    again,
    retries: 0,
    waited: 0,
    aside: undefined,
    before: undefined,
    budget,
    callBegan: now,
    hadBudget: hasBudget(budget, plan.budget, now),
    began: now,
    responses: budget.responses,
  };
}

/** Counts what the end of an attempt says of the origin. @returns what repeats it; absent if nothing does. */
function next(run: Run, passage: RetryPassage): Leaving | undefined {
  const { response, error, call } = run;
  const { plan, budget, began, retries } = passage;
  if (response) {
    const { status } = response;
    responded(budget, began, !plan.statusCodes.includes(status) && !isOriginFailure(status));
  } else if (isFailure(error) && error.code === 'timeout-attempt') budget.timeouts++;
  // The failure before is what went wrong, and not that the circuit is open.
  if (retries > 0 && error instanceof CircuitOpenError) {
    run.response = passage.aside?.again();
    run.error = passage.before ?? error;
  }
  const byRule = !run.response?.ok && isTransient(run, passage);
  return retries < plan.limit && passage.again && (byRule || plan.shouldRetry || call.strategy)
    ? () => repeat(run, passage, byRule)
    : undefined;
}

/** Waits, and prepares the next attempt, if there is to be one. */
async function repeat(run: Run, passage: RetryPassage, byRule: boolean): Promise<'repeat' | undefined> {
  const { call, response, error, origin } = run;
  const { plan, budget } = passage;
  const { shouldRetry, beforeRetry } = plan;
  const { clock, connectivity } = call.host;
  const retryCount = passage.retries + 1;
  const again = passage.again?.();
  /** @returns what a hook says. Only hooks need the state, and the `Request` that is made for it. */
  const ask = <T>(hook: ((state: RetryState) => T | Promise<T>) | undefined): Promise<T> | undefined =>
    hook &&
    run.wait(
      HOOK_LIMIT,
      Promise.resolve(
        hook({
          request: again ?? run.request,
          retryCount,
          ...(response && { response }),
          ...(!response && error instanceof Error && { error }),
        }),
      ),
    );

  const strategy = call.strategy?.(response ?? error);
  const word = (await ask(shouldRetry)) ?? (strategy && ['retry', 'back-off'].includes(strategy));
  if (word === false || (word !== true && !byRule)) return undefined;
  const delay = waitBefore(run, passage, word === true);
  if (delay === undefined) return undefined;
  if (strategy === 'back-off') budget.notBefore = Math.max(budget.notBefore, clock.ticks() + delay);
  const cause = response ? response.status : error;
  call.emit?.({ type: 'retry', callId: call.id, origin, attempt: retryCount + 1, delay, cause });
  // A hook may want to read it.
  const aside = response && !beforeRetry ? setAside(response) : undefined;
  let resumed: Request | Response | undefined;
  try {
    await run.wait(delay);
    if (!connectivity.state) await untilOnline(run);
    const given = (await ask(beforeRetry)) ?? undefined;
    resumed = asResponse(given, run.url) ?? given;
    await aside?.read(run);
  } finally {
    if (aside) aside.drop();
    else if (resumed !== response) dropBody(response);
  }
  if (resumed instanceof Response) {
    run.response = resumed;
    return undefined;
  }
  Object.assign(passage, {
    retries: retryCount,
    waited: delay,
    aside,
    before: response ? undefined : error,
    began: clock.ticks(),
    responses: budget.responses,
  });
  const attemptsLeft = plan.limit - retryCount;
  run.call = { ...call, attempt: retryCount + 1, attemptsLeft, hasResponse: aside !== undefined };
  const repeated = resumed ?? again;
  if (repeated) run.request = repeated;
  // A hook may turn a read into a write, which is sent once.
  if (resumed && !plan.methods.includes(resumed.method) && !resumed.headers.has(IDEMPOTENCY_KEY))
    passage.again = undefined;
  return 'repeat';
}

/** While the host is offline, a retry waits for the host and not for a timer. */
function untilOnline(run: Run): Promise<void> {
  let unsubscribe = (): void => {};
  const online = new Promise<void>((resolve) => {
    unsubscribe = run.call.host.connectivity.subscribe((isOnline) => {
      if (isOnline) resolve();
    });
  });
  return run.wait(Infinity, online).finally(unsubscribe);
}
