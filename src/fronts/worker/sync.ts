import { systemHost } from '../../core/host.ts';
import type { Outbox } from '../../policies/outbox/outbox.ts';

/** Chromium gives an event three minutes and counts one that it has to end as failed; in ms. */
const TIME = 150_000;

/** Writes are left that can be sent later: the browser is to wake the worker again. */
export class StillWaitingError extends Error {
  override name = 'StillWaitingError';
}

/**
 * Sends what waits, one write of a lane after the other, and begins nothing more when the event's time is nearly up.
 *
 * @throws {StillWaitingError} where the browser should try again.
 */
export async function drainInEvent(outbox: Outbox): Promise<void> {
  const { clock } = systemHost;
  const stop = new AbortController();
  const cancel = clock.after(TIME, () => stop.abort());
  try {
    const { left, held } = await outbox.flush({ signal: stop.signal });
    if (left > held) throw new StillWaitingError(`${left - held} writes can still be sent`);
  } finally {
    cancel();
  }
}
