import type { Run } from '../../core/stage.ts';
import { waitAsked } from '../../http/rate-limit.ts';
import { isFailure } from '../../primitives/failure.ts';
import { type Evidence, hungAlone, spend } from './budget.ts';
import type { Plan } from './options.ts';

/** The longest wait that other calls take over from one that named a limit of its own, in ms. */
const LONGEST_FOR_ALL = 60_000;

/** Whether the rules repeat what has come of an attempt. */
export function isTransient({ response, error }: Run, plan: Plan, evidence: Evidence): boolean {
  if (response) return plan.statusCodes.includes(response.status);
  // A transport of the application's own may have a time limit.
  if (!isFailure(error))
    return plan.retryOnTimeout === true && (error as Error | undefined)?.name === 'TimeoutError';
  // Rejections of ours are not repeated: nothing was sent. A body that stalled is its attempt's failure.
  if (error.code !== 'timeout-attempt') return error.code === 'network' || error.code === 'timeout-idle';
  return plan.retryOnTimeout ?? hungAlone(evidence);
}

/**
 * @param retryCount Of the attempt to come, from 1.
 * @param before The wait before this one, in ms.
 * @param isSaid The application wants it, whatever the origin says.
 * @returns milliseconds to the next attempt; `undefined` if there is to be none.
 */
export function waitBefore(
  run: Run,
  plan: Plan,
  evidence: Evidence,
  retryCount: number,
  before: number,
  isSaid: boolean,
): number | undefined {
  const { call, response, error } = run;
  const { clock, random } = call.host;
  const { budget } = evidence;
  const now = clock.now();
  const isRespected = response && plan.afterStatusCodes.includes(response.status);
  const asked = isRespected ? waitAsked(response, now, run.pipeline.quotaReset) : undefined;
  // A wait that cannot be read has been asked for.
  const isAsked = asked !== undefined || (isRespected && response.headers.has('retry-after'));
  if (response?.status === 413 && !isAsked && !isSaid) return undefined;

  const ticks = clock.ticks();
  const { backoffLimit, maxRetryAfter, capsRetryAfter } = plan;
  const limited = (delay: number): number => Math.min(backoffLimit, delay);
  const backoff = limited(plan.delay(retryCount));
  const jittered = limited(plan.jitter(backoff, random, limited(plan.delay(1)), before));
  // What it asked of one call it asked of all.
  if (asked !== undefined && asked <= Math.max(maxRetryAfter, capsRetryAfter ? LONGEST_FOR_ALL : 0))
    budget.notBefore = Math.max(budget.notBefore, ticks + asked);
  const capped = asked !== undefined && capsRetryAfter ? Math.min(asked, maxRetryAfter) : asked;
  const held = capped ?? (budget.notBefore > ticks ? budget.notBefore - ticks : undefined);
  // The spread of the jitter on top of what was asked, or all clients that were turned away come back together.
  const wait = held === undefined ? jittered : held + Math.abs(jittered - backoff);
  const reason =
    capped !== undefined && capped > maxRetryAfter
      ? 'retry-after'
      : ticks + wait >= run.deadline
        ? 'total'
        : !spend(evidence, plan.budget, retryCount, ticks) && 'budget';
  if (!reason) return wait;
  const retryAt = Math.ceil(now + wait);
  call.emit?.({ type: 'retry-abandoned', callId: call.id, origin: run.origin, reason, retryAt });
  if (isFailure(error) && error.retryAt === undefined) Object.assign(error, { retryAt });
  return undefined;
}
