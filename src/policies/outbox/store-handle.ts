import type { PipelineContext } from '../../core/contract.ts';
import { respondWithin } from '../../core/deadlines.ts';
import { ClosedError, StorageError } from '../../core/errors.ts';
import type { AtomicStore, Item, Transaction } from '../../core/store.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { isFailure } from '../../primitives/failure.ts';

/** How long one operation of the store may take, in ms; in some browsers an open never ends. */
const STORE_TIMEOUT = 10_000;

/** The store of one outbox: bounds its operations, and closes it after its last use. */
export class StoreHandle {
  /** The store with a timeout for each operation. Reads also end when the pipeline closes; changes complete. */
  readonly store: AtomicStore;
  readonly #pipeline: PipelineContext;
  readonly #given: AtomicStore;
  readonly #work = new Set<Promise<void>>();
  #isOver = false;

  constructor(store: AtomicStore, pipeline: PipelineContext) {
    this.#pipeline = pipeline;
    this.#given = store;
    const use = <T>(work: () => Promise<T>): Promise<T> =>
      this.#isOver ? Promise.reject(new ClosedError()) : this.track(work());
    const read = <T>(work: () => Promise<T>): Promise<T> =>
      withDeadline(
        Infinity,
        pipeline,
        use(() => this.#bounded(work())),
      );
    this.store = {
      name: store.name,
      durable: store.durable,
      get: (key) => read(() => store.get(key)),
      body: (key) => read(() => store.body(key)),
      range: (query) => read(() => store.range(query)),
      rangeWithBodies: (query) => read(() => store.rangeWithBodies(query)),
      groups: (prefix, limit) => read(() => store.groups(prefix, limit)),
      count: (of) => read(() => store.count(of)),
      write: (changes) => use(() => this.#bounded(store.write(changes))),
      change: (keys, decide, options) => use(() => this.#change(keys, decide, options)),
      close: () => store.close(),
    };
  }

  /** Work during which the store stays open. @returns the work itself. */
  track<T>(work: Promise<T>): Promise<T> {
    const over = (): void => void this.#work.delete(ended);
    const ended: Promise<void> = work.then(over, over);
    this.#work.add(ended);
    return work;
  }

  /** A store failed in the background: emits it; the next trigger tries again. */
  emitFailed(operation: string, error: unknown): void {
    const { signal, emit } = this.#pipeline;
    if (signal.aborted) return;
    const { name: store } = this.#given;
    emit?.({ type: 'store-failed', store, operation, error });
    // A newer version of the application owns the entries: this page reads and sends nothing more.
    if (isFailure(error) && error.code === 'storage-newer') emit?.({ type: 'update-required', store });
  }

  /**
   * Closes the store after its last use; a later use would open it again, and is rejected. `close()` of the pipeline waits for that.
   * A store that never responds is closed all the same.
   */
  release(): void {
    const unused = async (): Promise<void> => {
      while (this.#work.size > 0) await Promise.all(this.#work);
      this.#isOver = true;
    };
    const close = (): Promise<void> => {
      this.#isOver = true;
      return this.#given.close();
    };
    const { host } = this.#pipeline;
    const closed = withDeadline(STORE_TIMEOUT, { host }, unused()).then(close, close);
    try {
      this.#pipeline.background({ origin: '', partition: '' }).waitUntil(closed);
    } catch {
      // The application's `waitUntil` throws if its event is over.
    }
  }

  #bounded<T>(work: Promise<T>): Promise<T> {
    return respondWithin(STORE_TIMEOUT, this.#given.name, this.#pipeline.host, work);
  }

  /** A change that times out before its decision is not made later: its caller may have repeated it. */
  async #change<T>(
    keys: readonly string[],
    decide: (found: readonly (Item | undefined)[]) => Transaction<T>,
    options: { readonly strict?: boolean } | undefined,
  ): Promise<T> {
    let [isDecided, isGivenUp] = [false, false];
    const decideInTime: typeof decide = (found) => {
      if (isGivenUp) throw new StorageError('the change was given up');
      isDecided = true;
      return decide(found);
    };
    const work = this.#given.change(keys, decideInTime, options);
    try {
      return await this.#bounded(work);
    } catch (error) {
      isGivenUp = !isDecided;
      // Of a change that has begun, only waiting shows whether it succeeds.
      if (isDecided && isTimeout(error)) return this.#bounded(work);
      throw error;
    }
  }
}

/** Whether `respondWithin` gave up. */
export const isTimeout = (error: unknown): boolean =>
  error instanceof StorageError && error.cause instanceof DeadlineError;
