import type { Host } from '../../core/contract.ts';
import type { Verdict } from './classify.ts';
import type { OutboxEntry } from './entry.ts';
import type { OutboxSettings } from './options.ts';

/** The first backoff is up to this, in ms; it doubles. */
const FIRST_BACKOFF = 2_000;

/** When to look again after a refusal of ours that does not say when it ends, in ms. */
const AFTER_REFUSAL = 15_000;

/** How long nobody answers until that costs an attempt, in ms: a tunnel is no fault of the write. */
const SILENCE = 3_600_000;

/** The longest wait that an origin is granted, in ms. A lane is behind it. */
const LONGEST_ASKED = 86_400_000;

/** Jitter on top of a wait that was asked for, in ms, or all who were turned away come back together. */
const SPREAD = 1_000;

export type Schedule = Required<
  Pick<OutboxEntry, 'attempts' | 'misses' | 'notBefore' | 'asked' | 'waitingSince'>
> &
  Pick<OutboxEntry, 'silentSince'>;

/** What an entry that was not delivered has left, and when it is due again. */
export function scheduled(
  entry: OutboxEntry,
  { cost, wait }: Extract<Verdict, { is: 'again' }>,
  { clock, random }: Host,
  { backoffLimit }: OutboxSettings,
): Schedule {
  const now = clock.now();
  let { attempts, misses = 0, silentSince } = entry;
  if (cost === 'attempt') {
    attempts++;
    misses = 0;
    silentSince = undefined;
  } else if (cost !== 'refusal') misses++;
  if (cost === 'silence') {
    // A clock that was set back has no part in it.
    silentSince = Math.min(silentSince ?? now, now);
    if (now - silentSince >= SILENCE) {
      attempts++;
      silentSince = now;
    }
  }
  const growing = FIRST_BACKOFF * 2 ** (attempts + misses - 1);
  const jitter = random() * Math.min(backoffLimit, cost === 'refusal' ? AFTER_REFUSAL : growing);
  const delay = wait === undefined ? jitter : Math.min(wait, LONGEST_ASKED) + Math.min(jitter, SPREAD);
  return {
    attempts,
    misses,
    silentSince,
    notBefore: now + delay,
    waitingSince: now,
    asked: wait !== undefined && cost !== 'refusal',
  };
}

/** Which waits still hold: all, only those that an origin asked for, none. */
export type Waits = 'all' | 'asked' | 'none';

const ORDER: readonly Waits[] = ['all', 'asked', 'none'];

/** Who is in a greater hurry wins. */
export const sooner = (a: Waits, b: Waits): Waits => (ORDER.indexOf(a) > ORDER.indexOf(b) ? a : b);

/** How long until an entry is due, in ms; 0 where it is. */
export function dueIn(
  { notBefore, asked, acceptedAt, waitingSince = acceptedAt }: OutboxEntry,
  now: number,
  waits: Waits,
): number {
  if (waits === 'none' || (waits === 'asked' && !asked)) return 0;
  // The clock was set back, and nobody knows by how much. From then on no wait is longer than it was given.
  return now < waitingSince ? 0 : Math.max(0, notBefore - now);
}
