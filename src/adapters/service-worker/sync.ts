import { systemHost } from '../../core/host.ts';
import type { Outbox } from '../../policies/outbox/outbox.ts';
import { DeadlineError } from '../../primitives/clock.ts';
import { type EventLifetime, withinEventLifetime } from '../event-lifetime.ts';

/** Chromium gives an event three minutes and counts one that it has to end as failed. */
const TIME: EventLifetime = { begin: 150_000, end: 170_000 };

/** Entries are left that can be sent later: the browser should wake the worker again. */
export class StillWaitingError extends Error {
  override name = 'StillWaitingError';
}

/**
 * Sends the waiting entries and settles before the browser ends the event.
 *
 * @param isWanted Whether to send at all; called first, within the time of the event.
 * @throws {StillWaitingError} if the browser should try again.
 */
export async function drainInEvent(outbox: Outbox, isWanted: () => Promise<boolean>): Promise<void> {
  try {
    await withinEventLifetime(TIME, systemHost, async (signal) => {
      if (!(await isWanted())) return;
      const { left } = await outbox.flush({ signal });
      if (left > 0 && (await canSend(outbox))) throw new StillWaitingError(`${left} writes still wait`);
    });
  } catch (cause) {
    if (cause instanceof DeadlineError)
      throw new StillWaitingError('the time of the event is over', { cause });
    throw cause;
  }
}

/** Whether a lane is neither paused nor stopped: waking the worker again changes nothing about those. */
async function canSend(outbox: Outbox): Promise<boolean> {
  const [{ paused }, lanes] = await Promise.all([outbox.counts(), outbox.lanes()]);
  return (
    paused === undefined &&
    lanes.some(({ waiting, paused, stoppedBy }) => waiting > 0 && !paused && stoppedBy === undefined)
  );
}
