import { follow } from '../../core/abort.ts';
import { buffered, dropBody, watchBody } from '../../core/body.ts';
import { layered, memoized } from '../../core/check.ts';
import { sleep, within } from '../../core/clock.ts';
import { type Call, type Handler, named, type Policy } from '../../core/contract.ts';
import { CircuitOpenError, isFailure } from '../../core/errors.ts';
import { PerOrigin } from '../../core/origins.ts';
import { replay, withHeader } from '../../core/replay.ts';
import { IDEMPOTENCY_KEY } from '../../http/idempotency.ts';
import { isOriginFailure } from '../../http/status.ts';
import { isStreaming } from '../../http/streaming.ts';
import { hasBudget, newBudget, responded } from './budget.ts';
import { asObject, type Plan, type Resumed, type RetryOption, type RetryState, readPlan } from './options.ts';
import { setAside } from './set-aside.ts';
import { type Evidence, HOOK_LIMIT, waitBefore } from './wait.ts';

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

  return named('retry', (next) => (request, call) => {
    const own = call.options.retry;
    const plan = own === undefined ? standard : planOf(own);
    if (plan.limit === 0) return next(request, call);
    const keyed = request.headers.has(IDEMPOTENCY_KEY);
    if (!plan.methods.includes(request.method) && (!keyed || call.keyIsOurs)) {
      if (!plan.idempotencyKey) return next(request, { ...call, attemptsLeft: 0 });
      try {
        if (!keyed)
          request = withHeader(request, IDEMPOTENCY_KEY, plan.idempotencyKey(request, call.host.random));
      } catch (error) {
        return Promise.reject(error);
      }
    }
    const calls = {
      next,
      request,
      call,
      plan,
      evidence: evidenceOf(budgets.get(call.origin), call, plan),
    };
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
  readonly evidence: Evidence;
}

/** Makes the next request to send; absent where the body cannot be sent again. */
type Again = (() => Request) | undefined;

/** How an attempt ended: one of the two. */
interface Outcome {
  readonly response?: Response;
  readonly error?: unknown;
}

function evidenceOf(budget: Evidence['budget'], { host }: Call, plan: Plan): Evidence {
  const now = host.clock.ticks();
  const hadBudget = hasBudget(budget, plan.budget, now);
  return {
    budget,
    callBegan: now,
    hadBudget,
    began: now,
    stamp: ++budget.stamps,
    responses: budget.responses,
  };
}

/** Sends one attempt; with its body, if that is what an attempt is. */
function send({ next, plan }: Calls, request: Request, call: Call): Promise<Response> {
  const sent = next(request, call);
  const until = plan.until ?? (call.wantsBody ? 'body' : 'headers');
  return until === 'body' ? sent.then((response) => whole(response, call, plan)) : sent;
}

/** What a response says of the origin. */
const note = ({ status }: Response, { plan, evidence: { budget, began } }: Calls): void =>
  responded(budget, began, !plan.statusCodes.includes(status) && !isOriginFailure(status));

/** What a failure says of the origin. */
function noteFailure(error: unknown, { evidence: { budget } }: Calls): void {
  if (isFailure(error) && error.code === 'timeout-attempt') budget.timeouts++;
}

function begin(calls: Calls, again: Again): Promise<Response> {
  const { request, call, plan } = calls;
  return send(calls, request, call).then(
    (response) => {
      note(response, calls);
      return response.ok && !plan.shouldRetry && !call.strategy
        ? response
        : persist(calls, again, { response });
    },
    (error) => {
      noteFailure(error, calls);
      return persist(calls, again, { error });
    },
  );
}

/** Goes on after the first attempt. */
async function persist(calls: Calls, again: Again, first: Outcome): Promise<Response> {
  const { request, call, plan, evidence } = calls;
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
      wait = await waitBefore(state, wait, call, plan, evidence).catch((thrown) => {
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
      evidence.began = call.host.clock.ticks();
      evidence.stamp = ++evidence.budget.stamps;
      evidence.responses = evidence.budget.responses;
      const attemptsLeft = plan.limit - attempt;
      const repeated = { ...call, attempt: attempt + 1, attemptsLeft, hasResponse: aside !== undefined };
      response = await send(calls, resumed ?? again(), repeated);
      note(response, calls);
      if (response.ok && !plan.shouldRetry && !call.strategy) return response;
    } catch (thrown) {
      response = undefined;
      error = thrown;
      noteFailure(thrown, calls);
      // The failure before is what went wrong, and not that the circuit is open.
      if (thrown instanceof CircuitOpenError) {
        response = aside?.again();
        error = response ? undefined : (before ?? thrown);
      }
    }
  }
}

/**
 * Takes a body of up to `bodyLimit` into the attempt. A larger one streams on from there, and one of a streaming type from
 * the start.
 *
 * @throws what broke the body.
 */
async function whole(response: Response, call: Call, { bodyLimit }: Plan): Promise<Response> {
  if (!response.body || isStreaming(response.headers.get('content-type'))) return response;
  // A failure of a watched body is ours, whatever the engine calls it; and the caller may leave in the middle.
  const body = watchBody(response, {});
  const unfollow = follow(call.signal, (reason) => body?.break(reason));
  try {
    const { clock } = call.host;
    const began = clock.ticks();
    // A body that is slow but comes is not to be held back until the total time is up.
    return await buffered(response, (length) => length <= bodyLimit && clock.ticks() - began < LONGEST_READ);
  } catch (error) {
    dropBody(response);
    const { attempts } = call;
    const last = attempts.at(-1);
    // The log says how an attempt ended, and this one has not ended with its headers.
    if (last && isFailure(error)) attempts[attempts.length - 1] = { ...last, error: error.code };
    throw error;
  } finally {
    unfollow();
  }
}

/** How long a body is read before the response is handed over, in ms. */
const LONGEST_READ = 10_000;

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
