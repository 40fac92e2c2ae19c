import { isFailure } from '../../core/errors.ts';
import type { Run } from '../../core/stage.ts';
import { waitAsked } from '../../http/rate-limit.ts';
import { allows, type Budget, hungAlone, spend } from './budget.ts';
import type { Plan, RetryState } from './options.ts';

/** What the origin has done, as far as a call that failed can tell. */
export interface Evidence {
  readonly budget: Budget;
  /** When the call began, in ticks, and whether there was budget left then. */
  readonly callBegan: number;
  readonly hadBudget: boolean;
  /** When the last attempt was sent, in ticks; its stamp; and how many responses of the origin there were before. */
  began: number;
  stamp: number;
  responses: number;
}

/** The longest wait that other calls take over from one that named a limit of its own, in ms. */
const LONGEST_FOR_ALL = 60_000;

/** How long a hook may take, in ms. */
const HOOK_LIMIT = 30_000;

/** Waits for what a hook of the application gives. */
export const waitForHook = <T>(run: Run, given: T | Promise<T>): Promise<T> =>
  run.wait(HOOK_LIMIT, Promise.resolve(given));

/**
 * @param before The wait before this one, in ms.
 * @returns milliseconds to the next attempt; `undefined` if there is to be none.
 */
export async function waitBefore(
  state: RetryState,
  before: number,
  run: Run,
  plan: Plan,
  evidence: Evidence,
): Promise<number | undefined> {
  const { call } = run;
  const { clock, random } = call.host;
  const { response, error, retryCount } = state;
  const { budget } = evidence;
  const strategy = call.strategy?.(response ?? error);
  const said = strategy && (strategy === 'retry' || strategy === 'back-off');
  const word = (plan.shouldRetry && (await waitForHook(run, plan.shouldRetry(state)))) ?? said;
  if (word === false) return undefined;
  const now = clock.now();
  const asked =
    response && plan.afterStatusCodes.includes(response.status)
      ? waitAsked(response, now, run.home.quotaReset)
      : undefined;
  if (word !== true && !(response ? saysLater(response, asked, plan) : isTransient(error, plan, evidence)))
    return undefined;

  const ticks = clock.ticks();
  const first = Math.min(plan.backoffLimit, plan.delay(1));
  const backoff = Math.min(plan.backoffLimit, plan.delay(retryCount));
  const jittered = Math.min(plan.backoffLimit, plan.jitter(backoff, random, first, before));
  const { maxRetryAfter, capsRetryAfter } = plan;
  // What it asked of one call it asked of all.
  if (asked !== undefined && asked <= Math.max(maxRetryAfter, capsRetryAfter ? LONGEST_FOR_ALL : 0))
    budget.notBefore = Math.max(budget.notBefore, ticks + asked);
  const capped = asked !== undefined && capsRetryAfter ? Math.min(asked, maxRetryAfter) : asked;
  const held = capped ?? (budget.notBefore > ticks ? budget.notBefore - ticks : undefined);
  // The spread of the jitter on top of what was asked, or all clients that were turned away come back together.
  const wait = held === undefined ? jittered : held + Math.abs(jittered - backoff);
  const abandon = (reason: string): undefined => {
    const retryAt = Math.ceil(now + wait);
    call.emit?.({ type: 'retry-abandoned', callId: call.id, origin: run.origin, reason, retryAt });
    if (isFailure(error) && error.retryAt === undefined) Object.assign(error, { retryAt });
  };
  if (capped !== undefined && capped > maxRetryAfter) return abandon('retry-after');
  if (ticks + wait >= run.deadline) return abandon('total');
  if (!allows(budget, plan.budget, retryCount, evidence)) return abandon('budget');
  spend(budget, evidence.stamp, ticks);
  if (strategy === 'back-off') budget.notBefore = Math.max(budget.notBefore, ticks + wait);
  return wait;
}

function saysLater({ status, headers }: Response, asked: number | undefined, plan: Plan): boolean {
  // A wait that cannot be read has been asked for.
  const isAsked =
    asked !== undefined || (headers.has('retry-after') && plan.afterStatusCodes.includes(status));
  return plan.statusCodes.includes(status) && (status !== 413 || isAsked);
}

/** Rejections of ours are not repeated: nothing was sent. A body that stalled is its attempt's failure. */
function isTransient(error: unknown, { retryOnTimeout }: Plan, evidence: Evidence): boolean {
  // A transport of the application's own may have a time limit.
  if (!isFailure(error))
    return retryOnTimeout === true && (error as Error | undefined)?.name === 'TimeoutError';
  if (error.code !== 'timeout-attempt') return error.code === 'network' || error.code === 'timeout-idle';
  const { budget, began, responses } = evidence;
  return retryOnTimeout ?? hungAlone(budget, began, responses);
}
