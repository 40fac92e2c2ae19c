import { follow } from '../../core/abort.ts';
import { dropBody, snapshotOf, watchBody } from '../../core/body.ts';
import { layered, memoized } from '../../core/check.ts';
import { sleep, within } from '../../core/clock.ts';
import { type Call, type Handler, named, type Policy } from '../../core/contract.ts';
import { CircuitOpenError, isFailure } from '../../core/errors.ts';
import { PerOrigin } from '../../core/origins.ts';
import { facts, rebuilt } from '../../core/rebuild.ts';
import { replay, withHeader } from '../../core/replay.ts';
import { IDEMPOTENCY_KEY } from '../../http/idempotency.ts';
import { type Budget, type Budgets, GIVEN_BACK } from './budget.ts';
import { asObject, type Plan, type Resumed, type RetryOption, type RetryState, readPlan } from './options.ts';
import { setAside } from './set-aside.ts';
import { HOOK_LIMIT, waitBefore } from './wait.ts';

/**
 * Repeats what may be repeated: idempotent methods and requests with an `Idempotency-Key`, after network errors,
 * time-outs of an attempt, and the statuses that say "later".
 *
 * @param base Default: 2 retries, full jitter over 300 ms · 2ⁿ up to 10 s, a budget of 10 per origin.
 */
export function retry(base: RetryOption = {}): Policy {
  const standard = readPlan(base);
  const planOf = memoized((own) => readPlan(layered('retry', asObject(base), asObject(own))));
  const make = (): Budget => ({ spent: 0, notBefore: 0 });
  const budgets: Budgets = standard.share?.budgets(standard.budget, make) ?? new PerOrigin(make);

  return named('retry', (next) => (request, call) => {
    const own = call.options.retry;
    const plan = own === undefined ? standard : planOf(own);
    if (plan.limit === 0) return next(request, call);
    const keyed = request.headers.has(IDEMPOTENCY_KEY);
    if (!plan.methods.includes(request.method) && (!keyed || call.keyIsOurs)) {
      if (!plan.idempotencyKey) return next(request, call);
      try {
        if (!keyed)
          request = withHeader(request, IDEMPOTENCY_KEY, plan.idempotencyKey(request, call.host.random));
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const calls = { next, request, call, plan, budget: budgets.get(call.origin, call) };
    // The usual call has no body and succeeds: it should cost as little as may be.
    if (request.body === null) return begin(calls, () => request);
    // Before the first attempt: afterwards the body is gone.
    return within(Infinity, call, replay(request, plan.bodyLimit)).then((again) => begin(calls, again));
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
  const sent = next(request, call);
  return (plan.until === 'body' ? sent.then((response) => whole(response, call, plan)) : sent).then(
    (response) => {
      if (!response.ok) return persist(calls, again, { response });
      budget.spent = Math.max(0, budget.spent - GIVEN_BACK);
      return plan.shouldRetry || call.strategy ? persist(calls, again, { response }) : response;
    },
    (error) => persist(calls, again, { error }),
  );
}

/** Goes on after the first attempt. */
async function persist(calls: Calls, again: Again, first: Outcome): Promise<Response> {
  const { next, request, call, plan, budget } = calls;
  let { response, error }: Outcome = first;
  let wait: number | undefined = 0;
  for (let attempt = 1; ; attempt++) {
    if (!response && call.signal.aborted) throw error;
    const state: RetryState = {
      request,
      retryCount: attempt,
      ...(response && { response }),
      ...(error instanceof Error && { error }),
    };
    if (attempt > plan.limit || !again) wait = undefined;
    else
      wait = await waitBefore(state, wait, call, plan, budget).catch((thrown) => {
        dropBody(response);
        throw thrown;
      });
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
    const before = error;
    // A hook may want to read it.
    const aside = response && !plan.beforeRetry ? setAside(response, call) : undefined;
    let resumed: Awaited<Resumed>;
    try {
      await sleep(wait, call);
      await untilOnline(call);
      resumed = plan.beforeRetry && (await within(HOOK_LIMIT, call, plan.beforeRetry(state)));
    } finally {
      if (aside) await aside.end();
      else dropBody(response);
    }
    if (resumed instanceof Response) return resumed;
    response = error = undefined;
    try {
      response = await next(resumed ?? again(), { ...call, attempt: attempt + 1 });
      if (plan.until === 'body') response = await whole(response, call, plan);
      if (response.ok && !plan.shouldRetry && !call.strategy) return response;
    } catch (thrown) {
      response = undefined;
      error = thrown;
      // That the circuit has opened meanwhile is not what went wrong.
      if (thrown instanceof CircuitOpenError) {
        response = aside?.again();
        error = response ? undefined : (before ?? thrown);
      }
    }
  }
}

/**
 * Takes a body of up to `bodyLimit` into the attempt; the rest of a larger one streams after what has come.
 *
 * @throws what broke the body off.
 */
async function whole(response: Response, call: Call, { bodyLimit }: Plan): Promise<Response> {
  if (!response.body || response.headers.get('content-type')?.startsWith('text/event-stream'))
    return response;
  // A failure of a watched body is ours, whatever the engine calls it; and the caller may leave meanwhile.
  const body = watchBody(response, {});
  const unfollow = follow(call.signal, (reason) => body?.break(reason));
  try {
    await snapshotOf(response.clone(), bodyLimit);
    unfollow();
    // Whoever watches from here on has to see what was read here.
    return rebuilt(response.body, facts(response), response.headers);
  } catch (error) {
    unfollow();
    dropBody(response);
    const { attempts } = call;
    const last = attempts.at(-1);
    // The log says how an attempt ended, and this one has not ended with its headers.
    if (last && isFailure(error)) attempts[attempts.length - 1] = { ...last, error: error.code };
    throw error;
  }
}

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
