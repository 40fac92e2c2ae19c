import type { Host } from '../../../core/contract.ts';
import { withDeadline } from '../../../primitives/clock.ts';

/** How long a caller waits for the store, in ms: in some browsers an open never ends. */
const READ_TIMEOUT = 2_000;

/** How long a write may take, in ms: a large body on a slow disk. */
export const WRITE_TIMEOUT = 30_000;

/** How long a store is skipped after a timeout, in ms, so that not every read waits for it. */
const SUSPENDED_FOR = 30_000;

/** Guards the calls of a store with timeouts, and skips it after one: a circuit breaker for the store. */
export class GuardedStore {
  readonly #host: () => Host | undefined;
  readonly #failed: (operation: string, error: unknown) => void;
  readonly #pending = new Set<Promise<unknown>>();
  #until = -Infinity;

  /** @param host Absent once the cache is closed: a read would open the store again. */
  constructor(host: () => Host | undefined, failed: (operation: string, error: unknown) => void) {
    this.#host = host;
    this.#failed = failed;
  }

  /** Whether the store is skipped now, after a timeout. */
  get isSuspended(): boolean {
    const host = this.#host();
    return !host || host.clock.ticks() < this.#until;
  }

  /** A read that is skipped while the store is suspended; a late value counts as absent. */
  async read<T>(operation: string, work: () => Promise<T>): Promise<T | undefined> {
    return this.isSuspended ? undefined : this.attempt(operation, work);
  }

  /** Work that is always tried; the caller waits a little for it, unless the store is suspended. */
  attempt<T>(operation: string, work: () => Promise<T>, ms = READ_TIMEOUT): Promise<T | undefined> {
    return this.waitFor(operation, this.inBackground(operation, work), ms);
  }

  /** Waits for work of `inBackground`, unless the store is suspended. */
  async waitFor<T>(operation: string, work: Promise<T>, ms = READ_TIMEOUT): Promise<T | undefined> {
    const host = this.#host();
    if (!host || this.isSuspended) return undefined;
    try {
      return await withDeadline(ms, { host }, work);
    } catch (error) {
      this.#until = host.clock.ticks() + SUSPENDED_FOR;
      this.#failed(operation, error);
      return undefined;
    }
  }

  /** Work that is always tried, without a wait. */
  async inBackground<T>(operation: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      const begun = work();
      // It may still be pending after its caller has given up.
      this.#pending.add(begun);
      return await begun.finally(() => this.#pending.delete(begun));
    } catch (error) {
      this.#failed(operation, error);
      return undefined;
    }
  }

  /** Runs a task when all pending operations have ended. */
  whenDone(task: () => void): void {
    if (this.#pending.size === 0) task();
    else void Promise.allSettled(this.#pending).then(() => this.whenDone(task));
  }
}
