import { DeadlineError, withDeadline } from '../primitives/clock.ts';
import type { Host } from './contract.ts';
import { StorageError } from './errors.ts';

/** Bounds work of a store or a cipher. @throws {StorageError} after `ms`; the work itself goes on. */
export async function respondWithin<T>(ms: number, name: string, host: Host, work: Promise<T>): Promise<T> {
  try {
    return await withDeadline(ms, { host }, work);
  } catch (cause) {
    if (!(cause instanceof DeadlineError)) throw cause;
    throw new StorageError(`${name} did not respond within ${ms} ms`, { cause });
  }
}

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
