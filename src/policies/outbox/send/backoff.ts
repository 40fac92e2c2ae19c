import type { Host } from '../../../core/contract.ts';
import type { OutboxSettings } from '../options.ts';
import type { OutboxEntry } from '../queue/entry.ts';
import type { SendOutcome } from './outcome.ts';

/** The first backoff is up to this, in ms; it doubles. */
const FIRST_BACKOFF = 2_000;

/** The longest backoff after a policy rejected the call without a time, in ms. */
const REJECTED_BACKOFF = 15_000;

/** How long the origin is unreachable before that costs an attempt, in ms: a tunnel is no fault of the write. */
const UNREACHABLE_ATTEMPT_INTERVAL = 3_600_000;

/** The longest `Retry-After` that is respected, in ms: a lane waits behind it. */
const MAX_RETRY_AFTER = 86_400_000;

/** Jitter on top of a `Retry-After`, in ms, so that clients do not come back together. */
const JITTER = 1_000;

export type Schedule = Required<
  Pick<OutboxEntry, 'attempts' | 'unreachableCount' | 'notBefore' | 'fromRetryAfter' | 'waitingSince'>
> &
  Pick<OutboxEntry, 'unreachableSince'>;

/** The attempts of an entry that was not delivered, and when it is due again. */
export function scheduleRetry(
  entry: OutboxEntry,
  { cost, wait }: Extract<SendOutcome, { is: 'retry' }>,
  { clock, random }: Host,
  { backoffLimit }: OutboxSettings,
): Schedule {
  const now = clock.now();
  let { attempts, unreachableCount = 0, unreachableSince } = entry;
  if (cost === 'attempt') {
    attempts++;
    unreachableCount = 0;
    unreachableSince = undefined;
  } else if (cost !== 'rejected') unreachableCount++;
  if (cost === 'unreachable') {
    // Guard against the clock moving backwards.
    unreachableSince = Math.min(unreachableSince ?? now, now);
    if (now - unreachableSince >= UNREACHABLE_ATTEMPT_INTERVAL) {
      attempts++;
      unreachableSince = now;
    }
  }
  const growing = FIRST_BACKOFF * 2 ** (attempts + unreachableCount - 1);
  const backoff = random() * Math.min(backoffLimit, cost === 'rejected' ? REJECTED_BACKOFF : growing);
  const delay = wait === undefined ? backoff : Math.min(wait, MAX_RETRY_AFTER) + Math.min(backoff, JITTER);
  return {
    attempts,
    unreachableCount,
    unreachableSince,
    notBefore: now + delay,
    waitingSince: now,
    fromRetryAfter: wait !== undefined && cost !== 'rejected',
  };
}

/** Which waits are respected: all, only those of a `Retry-After`, none. */
export type Respect = 'all' | 'retry-after' | 'none';

const ORDER: readonly Respect[] = ['all', 'retry-after', 'none'];

/** The one that respects fewer waits. */
export const mostUrgent = (a: Respect, b: Respect): Respect => (ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b);

/** How long until an entry is due, in ms; 0 if it is. */
export function dueIn(
  { notBefore, fromRetryAfter, acceptedAt, waitingSince = acceptedAt }: OutboxEntry,
  now: number,
  respect: Respect,
): number {
  if (respect === 'none' || (respect === 'retry-after' && !fromRetryAfter)) return 0;
  // The clock was set back, by an unknown time: don't wait.
  return now < waitingSince ? 0 : Math.max(0, notBefore - now);
}
