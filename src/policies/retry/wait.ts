import type { Run } from '../../core/stage.ts';
import { waitAsked } from '../../http/rate-limit.ts';
import { isFailure } from '../../primitives/failure.ts';
import { type Evidence, hungAlone, spend } from './budget.ts';
import type { Plan } from './options.ts';
import type { SetAside } from './set-aside.ts';

/** The longest wait that a call takes over from another one, or from an origin where `maxRetryAfter` is not named, in ms. */
const LONGEST = 60_000;

/** One call through `retry`. */
export interface RetryPassage extends Evidence {
  readonly plan: Plan;
  /** Makes the next request to send, if it is another one than the last; absent where the body cannot be sent again. */
  again: (() => Request | undefined) | undefined;
  /** Retries so far. */
  retries: number;
  /** The last wait, in ms. */
  waited: number;
  /** How the attempt before failed: one of the two. */
  aside: SetAside | undefined;
  before: unknown;
}

/** Whether the rules repeat what has come of an attempt. */
export function isTransient({ response, error }: Run, passage: RetryPassage): boolean {
  const { statusCodes, retryOnTimeout } = passage.plan;
  if (response) return statusCodes.includes(response.status);
  // A transport of the application's own may have a time limit.
  if (!isFailure(error))
    return retryOnTimeout === true && (error as Error | undefined)?.name === 'TimeoutError';
  // Rejections by policies are not repeated: nothing was sent. A body that stalled is its attempt's failure.
  if (error.code !== 'timeout-attempt') return error.code === 'network' || error.code === 'timeout-idle';
  return retryOnTimeout ?? hungAlone(passage);
}

/**
 * @param isSaid The application wants the next attempt, whatever the origin says.
 * @returns milliseconds to the next attempt; `undefined` if there is to be none.
 */
export function waitBefore(run: Run, passage: RetryPassage, isSaid: boolean): number | undefined {
  const { call, response, error, origin } = run;
  const { clock, random } = call.host;
  const { plan, budget, retries, waited } = passage;
  const { backoffLimit, maxRetryAfter, statusCodes, afterStatusCodes = statusCodes } = plan;
  const now = clock.now();
  const ticks = clock.ticks();

  const isRespected = response && afterStatusCodes.includes(response.status);
  const asked = isRespected ? waitAsked(response, now, run.pipeline.quotaReset) : undefined;
  if (response?.status === 413 && !response.headers.has('retry-after') && asked === undefined && !isSaid)
    return undefined;
  // What it asked of one call it asked of all.
  if (asked !== undefined && asked <= Math.max(maxRetryAfter ?? 0, LONGEST))
    budget.notBefore = Math.max(budget.notBefore, ticks + asked);

  // A function of the application's may give what is no duration.
  const limited = (delay: number): number => Math.max(0, delay <= backoffLimit ? delay : backoffLimit);
  const backoff = limited(plan.delay(retries + 1));
  const jittered = limited(plan.jitter(backoff, random, limited(plan.delay(1)), waited));
  const held =
    asked !== undefined
      ? Math.min(asked, maxRetryAfter ?? asked)
      : budget.notBefore > ticks && budget.notBefore - ticks;
  // The spread of the jitter on top of what was asked, or all clients that were turned away come back together.
  const wait = held === false ? jittered : held + Math.abs(jittered - backoff);
  const reason =
    asked !== undefined && asked > LONGEST && maxRetryAfter === undefined
      ? 'retry-after'
      : ticks + wait >= run.deadline
        ? 'total'
        : !spend(passage, plan.budget, retries + 1, ticks) && 'budget';
  if (!reason) return wait;
  const retryAt = Math.ceil(now + wait);
  call.emit?.({ type: 'retry-abandoned', callId: call.id, origin, reason, retryAt });
  if (isFailure(error) && error.retryAt === undefined) Object.assign(error, { retryAt });
  return undefined;
}
