import type { Host, PipelineContext } from '../../core/contract.ts';
import { ClosedError, StorageError } from '../../core/errors.ts';
import type { AtomicStore, Store } from '../../core/store.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { isFailure } from '../../primitives/failure.ts';
import { STORE_TIMEOUT } from './options.ts';

/** Tracks work on the store, which must end before the store is closed. */
export class StoreHandle {
  readonly #host: Host;
  readonly #work = new Set<Promise<void>>();
  /** Operations of the store, with their start. */
  readonly #asked = new Map<Promise<void>, number>();
  #isOver = false;

  constructor(host: Host) {
    this.#host = host;
  }

  /** @returns the work itself. */
  track<T>(work: Promise<T>): Promise<T> {
    const over = (): void => void this.#work.delete(drained);
    const drained: Promise<void> = work.then(over, over);
    this.#work.add(drained);
    return work;
  }

  /** The store until it is closed: a later operation would open it again, and leave it open. */
  guard(store: AtomicStore): AtomicStore {
    const ask = <T>(work: () => Promise<T>): Promise<T> => {
      if (this.#isOver) return Promise.reject(new ClosedError());
      const asked = work();
      const over = (): void => void this.#asked.delete(ended);
      const ended: Promise<void> = asked.then(over, over);
      this.#asked.set(ended, this.#host.clock.ticks());
      return asked;
    };
    return {
      name: store.name,
      durable: store.durable,
      get: (key) => ask(() => store.get(key)),
      body: (key) => ask(() => store.body(key)),
      range: (query) => ask(() => store.range(query)),
      rangeWithBodies: (query, pick) => ask(() => store.rangeWithBodies(query, pick)),
      groups: (prefix, limit) => ask(() => store.groups(prefix, limit)),
      count: (of) => ask(() => store.count(of)),
      write: (changes) => ask(() => store.write(changes)),
      change: (keys, decide, options) => ask(() => store.change(keys, decide, options)),
      close: () => store.close(),
    };
  }

  /** Resolves when no work is left. Operations older than the timeout are given up. */
  async ended(): Promise<void> {
    for (;;) {
      const since = this.#host.clock.ticks() - STORE_TIMEOUT;
      const asked = [...this.#asked].filter(([, at]) => at > since).map(([each]) => each);
      if (this.#work.size + asked.length === 0) break;
      await Promise.all([...this.#work, ...asked]);
    }
    this.#isOver = true;
  }

  /** Rejects every later operation. */
  close(): void {
    this.#isOver = true;
  }
}

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

/** The part of `navigator.storage` that is used here; only pages have `persist`. */
interface StorageManager {
  persisted?(): Promise<boolean>;
  persist?(): Promise<boolean>;
}

/**
 * Asks the browser, once, to delete nothing of this site when the disk is full: after the first accepted write, when the
 * reason is obvious to the user (Firefox asks, other browsers decide by themselves).
 *
 * @see https://storage.spec.whatwg.org/#persistence
 */
export function persistence({ emit }: PipelineContext, store: Store, isWanted: boolean): () => void {
  let isAsked = !isWanted || !store.name.startsWith('indexeddb:');
  const ask = async (storage: StorageManager): Promise<void> => {
    if (await storage.persisted?.()) return;
    const granted = await storage.persist?.();
    if (granted !== undefined) emit?.({ type: 'storage-persistence', granted });
  };
  return () => {
    if (isAsked) return;
    isAsked = true;
    const { storage } = (globalThis.navigator ?? {}) as { storage?: StorageManager };
    // If the browser refuses, entries are kept as long as other data.
    if (storage) ask(storage).catch(() => {});
  };
}
