import { DeadlineError, withDeadline } from '../../core/clock.ts';
import type { PipelineContext } from '../../core/contract.ts';
import { isFailure, StorageError } from '../../core/errors.ts';
import type { Store } from '../../core/store.ts';
import { STORE_PATIENCE } from './options.ts';

/** A store that failed in the background: told, and tried again at the next occasion. */
export function onTrouble(
  { signal, emit }: PipelineContext,
  store: Store,
  operation: string,
  error: unknown,
): void {
  if (signal.aborted) return;
  emit?.({ type: 'store-failed', store: store.name, operation, error });
  // Nothing is read or sent from here on: a newer version of the application has the entries.
  if (isFailure(error) && error.code === 'storage-newer')
    emit?.({ type: 'update-required', store: store.name });
}

/** What the application asks of a store. @throws {StorageError} where it does not answer; it may do what was asked of it yet. */
export async function answered<T>(
  pipeline: Pick<PipelineContext, 'host'> & Partial<Pick<PipelineContext, 'signal'>>,
  store: Store,
  work: Promise<T>,
): Promise<T> {
  try {
    return await withDeadline(STORE_PATIENCE, pipeline, work);
  } catch (cause) {
    if (!(cause instanceof DeadlineError)) throw cause;
    throw new StorageError(`${store.name} has not answered in ${STORE_PATIENCE} ms`, { cause });
  }
}
