import type { Host } from '../core/contract.ts';
import { withDeadline } from '../primitives/clock.ts';

/** The lifetime of a platform event, in ms. The platform kills work that takes longer, without time for a cleanup. */
export interface EventLifetime {
  /** After this time no more work begins. */
  readonly begin: number;
  /** After this time the event is over; work in progress goes on without it. */
  readonly end: number;
}

/**
 * Runs work within the lifetime of a platform event.
 *
 * @param work Begins nothing more when its signal aborts.
 * @throws {DeadlineError} if the work has not ended in time; the error of the work itself.
 */
export async function withinEventLifetime<T>(
  { begin, end }: EventLifetime,
  host: Host,
  work: (softDeadline: AbortSignal) => Promise<T>,
): Promise<T> {
  const enough = new AbortController();
  const cancel = host.clock.after(begin, () => enough.abort());
  try {
    return await withDeadline(end, { host }, work(enough.signal));
  } finally {
    cancel();
  }
}
