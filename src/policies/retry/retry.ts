import { dropBody } from '../../core/body.ts';
import { layered, memoized } from '../../core/check.ts';
import { named, type Policy } from '../../core/contract.ts';
import { CircuitOpenError, isFailure } from '../../core/errors.ts';
import { PerOrigin } from '../../core/origins.ts';
import { replay, withHeader } from '../../core/replay.ts';
import type { LazyRequest } from '../../core/request.ts';
import { type Run, stage } from '../../core/stage.ts';
import { IDEMPOTENCY_KEY } from '../../http/idempotency.ts';
import { isOriginFailure } from '../../http/status.ts';
import { type Budget, hasBudget, newBudget, responded } from './budget.ts';
import {
  asObject,
  type Plan,
  type RetryOption,
  type RetryState,
  readPlan,
  type WholeBody,
} from './options.ts';
import { type SetAside, setAside } from './set-aside.ts';
import { type Evidence, waitBefore, waitForHook } from './wait.ts';

/** One call through this policy. */
interface Passage extends Evidence {
  /** As the first attempt got it. */
  readonly first: LazyRequest;
  readonly plan: Plan;
  /** Makes the next request to send; `'same'`: it has no body; absent where the body cannot be sent again. */
  again: (() => Request) | 'same' | undefined;
  /** Retries so far. */
  retries: number;
  /** The last wait, in ms. */
  waited: number;
  /** How the attempt before failed: one of the two. */
  aside: SetAside | undefined;
  before: unknown;
}

/**
 * Repeats what may be repeated: idempotent methods and requests with an `Idempotency-Key`, after network errors, the
 * statuses that say "later", and time-outs of an attempt while the origin responds to others.
 *
 * @param base Default: 2 retries, after 300 ms · 2ⁿ and up to half of it more, at most 10 s; without any success, 4 for each
 *   origin.
 */
export function retry(base: RetryOption = {}): Policy {
  const standard = readPlan(base);
  const planOf = memoized((own) => readPlan(layered('retry', asObject(base), asObject(own))));
  const budgets = new PerOrigin(newBudget);

  return named(
    'retry',
    stage<Passage | undefined>({
      enter(run) {
        const { call } = run;
        const own = call.options.retry;
        const plan = own === undefined ? standard : planOf(own);
        if (plan.limit === 0) return undefined;
        if (!plan.methods.includes(run.method)) {
          const isKeyed = run.request.headers.has(IDEMPOTENCY_KEY);
          if ((!isKeyed || call.keyIsOurs) && !plan.idempotencyKey) {
            run.attemptsLeft = 0;
            return undefined;
          }
          if (!isKeyed && plan.idempotencyKey) {
            const key = plan.idempotencyKey(run.request, call.host.random);
            run.request = withHeader(run.request, IDEMPOTENCY_KEY, key);
          }
        }
        const budget = budgets.get(run.origin);
        if (!run.outgoing.isMade || run.request.body === null) return begin(run, plan, budget, 'same');
        // Before the first attempt: afterwards the body is gone.
        return run
          .wait(Number.POSITIVE_INFINITY, replay(run.request, plan.bodyLimit))
          .then((again) => begin(run, plan, budget, again));
      },
      leave(run, passage) {
        if (!passage) return;
        const { plan } = passage;
        // Of a failure its status counts, whatever becomes of its body.
        const until =
          plan.until !== 'headers' && ((run.response?.ok && (run.call.wantsBody as WholeBody)) || plan.until);
        if (until && run.response?.body)
          return async () => {
            await until(run, plan.bodyLimit);
            note(run, passage);
            return isWelcome(run, passage) ? undefined : repeat(run, passage);
          };
        note(run, passage);
        return isWelcome(run, passage) ? undefined : () => repeat(run, passage);
      },
    }),
  );
}

function begin(run: Run, plan: Plan, budget: Budget, again: Passage['again']): Passage {
  const now = run.call.host.clock.ticks();
  return {
    first: run.outgoing,
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
    stamp: ++budget.stamps,
    responses: budget.responses,
  };
}

/** Counts what the end of an attempt says of the origin. */
function note({ response, error }: Run, { plan, budget, began }: Passage): void {
  if (response) {
    const { status } = response;
    responded(budget, began, !plan.statusCodes.includes(status) && !isOriginFailure(status));
  } else if (isFailure(error) && error.code === 'timeout-attempt') budget.timeouts++;
}

const isWelcome = ({ response, call }: Run, { plan }: Passage): boolean =>
  response?.ok === true && !plan.shouldRetry && !call.strategy;

/** Waits, and prepares the next attempt, if there is to be one. */
async function repeat(run: Run, passage: Passage): Promise<'repeat' | undefined> {
  const { call } = run;
  const { plan, again, before, first } = passage;
  // The failure before is what went wrong, and not that the circuit is open.
  if (passage.retries > 0 && run.error instanceof CircuitOpenError) {
    run.response = passage.aside?.again();
    run.error = before ?? run.error;
  }
  const { response, error } = run;
  const retryCount = passage.retries + 1;
  if (retryCount > plan.limit || !again) return undefined;
  const next = again === 'same' ? undefined : again();
  const state: RetryState = {
    request: next ?? first.request,
    retryCount,
    ...(response && { response }),
    ...(!response && error instanceof Error && { error }),
  };
  const delay = await waitBefore(state, passage.waited, run, plan, passage);
  if (delay === undefined) return undefined;
  call.emit?.({
    type: 'retry',
    callId: call.id,
    origin: run.origin,
    attempt: retryCount + 1,
    delay,
    cause: response ? response.status : error,
  });
  // A hook may want to read it.
  const aside = response && !plan.beforeRetry ? setAside(response) : undefined;
  let resumed: Request | Response | undefined;
  try {
    await run.wait(delay);
    if (!call.host.online.state) await untilOnline(run);
    if (plan.beforeRetry) resumed = (await waitForHook(run, plan.beforeRetry(state))) ?? undefined;
    await aside?.end(run);
  } catch (thrown) {
    aside?.drop();
    throw thrown;
  }
  if (!aside) dropBody(response);
  if (resumed instanceof Response) {
    run.response = resumed;
    return undefined;
  }
  const { budget } = passage;
  passage.retries = retryCount;
  passage.waited = delay;
  passage.aside = aside;
  passage.before = response ? undefined : error;
  passage.began = call.host.clock.ticks();
  passage.stamp = ++budget.stamps;
  passage.responses = budget.responses;
  run.attempt = retryCount + 1;
  run.attemptsLeft = plan.limit - retryCount;
  run.hasResponse = aside !== undefined;
  const repeated = resumed ?? next;
  if (repeated) run.request = repeated;
  // A hook may turn a read into a write, which is sent once.
  if (resumed && !mayRepeat(resumed, plan)) passage.again = undefined;
  return 'repeat';
}

const mayRepeat = ({ method, headers }: Request, plan: Plan): boolean =>
  plan.methods.includes(method) || headers.has(IDEMPOTENCY_KEY);

/** While the host is offline, a retry waits for the host and not for a timer. */
function untilOnline(run: Run): Promise<void> {
  let unsubscribe = (): void => {};
  const online = new Promise<void>((resolve) => {
    unsubscribe = run.call.host.online.subscribe((isOnline) => {
      if (isOnline) resolve();
    });
  });
  return run.wait(Number.POSITIVE_INFINITY, online, () => unsubscribe()).then(() => unsubscribe());
}
