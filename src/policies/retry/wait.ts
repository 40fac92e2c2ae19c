import { within } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import { isFailure } from '../../core/errors.ts';
import { rateLimitReset } from '../../http/rate-limit.ts';
import { retryAfter } from '../../http/retry-after.ts';
import type { Budget } from './budget.ts';
import type { Plan, RetryState } from './options.ts';

/** How long a hook may think. In ms. */
export const HOOK_LIMIT = 30_000;

/**
 * @param before The wait before this one, in ms.
 * @returns milliseconds to the next attempt; `undefined` if there is to be none.
 */
export async function waitBefore(
  state: RetryState,
  before: number,
  call: Call,
  plan: Plan,
  budget: Budget,
): Promise<number | undefined> {
  const { clock, random } = call.host;
  const { response, error, retryCount } = state;
  const strategy = call.strategy?.(response ?? error);
  const said = strategy && (strategy === 'retry' || strategy === 'back-off');
  const word = (plan.shouldRetry && (await within(HOOK_LIMIT, call, plan.shouldRetry(state)))) ?? said;
  if (word === false) return undefined;
  const now = clock.now();
  const asked =
    response && plan.afterStatusCodes.includes(response.status)
      ? (retryAfter(response.headers, now) ?? rateLimitReset(response.headers, now))
      : undefined;
  if (word !== true && !(response ? saysLater(response, asked, plan) : isTransient(error, plan)))
    return undefined;

  const ticks = clock.ticks();
  const first = Math.min(plan.backoffLimit, plan.delay(1));
  const backoff = Math.min(plan.backoffLimit, plan.delay(retryCount));
  const jittered = Math.min(plan.backoffLimit, plan.jitter(backoff, random, first, before));
  // What it asked of one call it asked of all.
  if (asked !== undefined && asked <= plan.maxRetryAfter)
    budget.notBefore = Math.max(budget.notBefore, ticks + asked);
  const held = asked ?? (budget.notBefore > ticks ? budget.notBefore - ticks : undefined);
  // Jitter on top of what was asked, or all who were turned away come back together.
  const wait = held === undefined ? jittered : held + jittered;
  const abandon = (reason: string): undefined => {
    const retryAt = Math.ceil(now + wait);
    call.emit?.({ type: 'retry-abandoned', callId: call.id, origin: call.origin, reason, retryAt });
    if (isFailure(error) && error.retryAt === undefined) Object.assign(error, { retryAt });
  };
  if (asked !== undefined && asked > plan.maxRetryAfter) return abandon('retry-after');
  if (call.deadline !== undefined && ticks + wait >= call.deadline) return abandon('total');
  if (budget.spent + 1 > plan.budget) return abandon('budget');
  budget.spent++;
  if (strategy === 'back-off') budget.notBefore = Math.max(budget.notBefore, ticks + wait);
  return wait;
}

function saysLater({ status }: Response, asked: number | undefined, plan: Plan): boolean {
  if (status === 413 && asked === undefined) return false;
  return plan.statusCodes.includes(status);
}

/** Refusals are not repeated: the origin was not even asked. A body that stalled is its attempt's failure. */
const isTransient = (error: unknown, plan: Plan): boolean =>
  isFailure(error) &&
  (error.code === 'network' ||
    error.code === 'timeout-idle' ||
    (plan.retryOnTimeout && error.code === 'timeout-attempt'));
