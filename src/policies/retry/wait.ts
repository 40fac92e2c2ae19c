import type { Run } from '../../core/stage.ts';
import { waitAsked } from '../../http/rate-limit.ts';
import { isFailure } from '../../primitives/failure.ts';
import { type Evidence, hungAlone, spend } from './budget.ts';
import type { Plan } from './options.ts';

/** The longest wait that a call takes over from another one, or from an origin where `maxRetryAfter` is not named, in ms. */
const LONGEST = 60_000;

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
  const { call, response, error, origin } = run;
  const { clock, random } = call.host;
  const { budget } = evidence;
  const { backoffLimit, maxRetryAfter = Infinity, statusCodes, afterStatusCodes = statusCodes } = plan;
  const now = clock.now();
  const ticks = clock.ticks();

  const isRespected = response && afterStatusCodes.includes(response.status);
  const asked = isRespected ? waitAsked(response, now, run.pipeline.quotaReset) : undefined;
  if (response?.status === 413 && !response.headers.has('retry-after') && asked === undefined && !isSaid)
    return undefined;
  // What it asked of one call it asked of all.
  if (asked !== undefined && asked <= Math.max(plan.maxRetryAfter ?? 0, LONGEST))
    budget.notBefore = Math.max(budget.notBefore, ticks + asked);

  const limited = (delay: number): number => Math.min(backoffLimit, delay);
  const backoff = limited(plan.delay(retryCount));
  const jittered = limited(plan.jitter(backoff, random, limited(plan.delay(1)), before));
  const held =
    asked !== undefined
      ? Math.min(asked, maxRetryAfter)
      : budget.notBefore > ticks && budget.notBefore - ticks;
  // The spread of the jitter on top of what was asked, or all clients that were turned away come back together.
  const wait = held === false ? jittered : held + Math.abs(jittered - backoff);
  const reason =
    asked !== undefined && asked > LONGEST && plan.maxRetryAfter === undefined
      ? 'retry-after'
      : ticks + wait >= run.deadline
        ? 'total'
        : !spend(evidence, plan.budget, retryCount, ticks) && 'budget';
  if (!reason) return wait;
  const retryAt = Math.ceil(now + wait);
  call.emit?.({ type: 'retry-abandoned', callId: call.id, origin, reason, retryAt });
  if (isFailure(error) && error.retryAt === undefined) Object.assign(error, { retryAt });
  return undefined;
}
