import type { PipelineContext } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import type { Store } from '../../core/store.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { isFailure } from '../../primitives/failure.ts';
import { STORE_TIMEOUT } from './options.ts';

/** A store failed in the background: emits it; the next trigger tries again. */
export function emitStoreFailed(
  { signal, emit }: PipelineContext,
  store: Store,
  operation: string,
  error: unknown,
): void {
  if (signal.aborted) return;
  emit?.({ type: 'store-failed', store: store.name, operation, error });
  // A newer version of the application owns the entries: this page reads and sends nothing more.
  if (isFailure(error) && error.code === 'storage-newer')
    emit?.({ type: 'update-required', store: store.name });
}

/** Bounds an operation of the store. @throws {StorageError} after the timeout; the operation may still complete. */
export async function withStoreTimeout<T>(
  pipeline: Pick<PipelineContext, 'host'> & Partial<Pick<PipelineContext, 'signal'>>,
  store: Store,
  work: Promise<T>,
): Promise<T> {
  try {
    return await withDeadline(STORE_TIMEOUT, pipeline, work);
  } catch (cause) {
    if (!(cause instanceof DeadlineError)) throw cause;
    throw new StorageError(`${store.name} did not respond within ${STORE_TIMEOUT} ms`, { cause });
  }
}
