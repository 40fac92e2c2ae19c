import { DeadlineError, withDeadline } from '../primitives/clock.ts';
import type { Host } from './contract.ts';
import { StorageError } from './errors.ts';

// Not in store.ts, which is read with the types of one platform alone: a host needs those of all.

/** Bounds work of a store or a cipher. @throws {StorageError} after `ms`; the work itself goes on. */
export async function respondWithin<T>(ms: number, name: string, host: Host, work: Promise<T>): Promise<T> {
  try {
    return await withDeadline(ms, { host }, work);
  } catch (cause) {
    if (!(cause instanceof DeadlineError)) throw cause;
    throw new StorageError(`${name} did not respond within ${ms} ms`, { cause });
  }
}
