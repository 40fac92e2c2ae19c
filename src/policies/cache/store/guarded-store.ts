import type { Call, Host } from '../../../core/contract.ts';
import type { Run } from '../../../core/stage.ts';
import { DeadlineError, withDeadline } from '../../../primitives/clock.ts';

/** How long a caller waits for the store, in ms: in some browsers an open never ends. */
const READ_TIMEOUT = 2_000;

/** How long a write may take, in ms: a large body on a slow disk. */
const WRITE_TIMEOUT = 30_000;

/** How long a store is skipped after a timeout, in ms, so that not every read waits for it. */
const SUSPENDED_FOR = 30_000;

/** A read of the cache. */
export interface CacheRead {
  readonly request: Request;
  readonly call: Call;
  /** The run of the stage; absent outside of its turn. */
  readonly run?: Run | undefined;
}

/** Guards the calls of a store with timeouts, and skips it after one: a circuit breaker for the store. */
export class GuardedStore {
  readonly #failed: (operation: string, error: unknown) => void;
  readonly #pending = new Set<Promise<unknown>>();
  #until = -Infinity;

  constructor(failed: (operation: string, error: unknown) => void) {
    this.#failed = failed;
  }

  /**
   * A read with a timeout: a late value counts as absent.
   *
   * @throws what ended the read.
   */
  async read<T>(operation: string, { call, run }: CacheRead, work: () => Promise<T>): Promise<T | undefined> {
    if (this.isSuspended(call.host)) return undefined;
    let isEnded = false;
    try {
      const begun = this.#track(work);
      if (!run) return await withDeadline(READ_TIMEOUT, call, begun);
      return await run.wait(READ_TIMEOUT, begun, () => {
        isEnded = true;
      });
    } catch (error) {
      const isLate = error instanceof DeadlineError;
      if (call.signal.aborted || (isEnded && !isLate)) throw error;
      if (isLate) this.#until = call.host.clock.ticks() + SUSPENDED_FOR;
      this.#failed(operation, error);
      return undefined;
    }
  }

  /** Whether the store is skipped now, after a timeout. */
  isSuspended(host: Host): boolean {
    return host.clock.ticks() < this.#until;
  }

  /** Work that is always tried; the caller waits a little for it, unless the store is suspended. */
  tryNow<T>(operation: string, host: Host, work: () => Promise<T>): Promise<T | undefined> {
    return this.waitFor(operation, host, this.inBackground(operation, work));
  }

  /** The same in the turn of a stage. @throws what ended the run. */
  tryNowIn<T>(operation: string, run: Run, work: () => Promise<T>): Promise<T | undefined> {
    const done = this.inBackground(operation, work);
    return run.wait(Number.POSITIVE_INFINITY, this.waitFor(operation, run.call.host, done));
  }

  /** Waits for work of `inBackground`, unless the store is suspended. */
  async waitFor<T>(
    operation: string,
    host: Host,
    done: Promise<T>,
    ms = READ_TIMEOUT,
  ): Promise<T | undefined> {
    if (this.isSuspended(host)) return undefined;
    try {
      return await withDeadline(ms, { host }, done);
    } catch (error) {
      this.#until = host.clock.ticks() + SUSPENDED_FOR;
      this.#failed(operation, error);
      return undefined;
    }
  }

  /** The same with the longer timeout of a write. */
  write<T>(operation: string, host: Host, work: () => Promise<T>): Promise<T | undefined> {
    return this.waitFor(operation, host, this.inBackground(operation, work), WRITE_TIMEOUT);
  }

  /** Work that is always tried, without a wait. */
  async inBackground<T>(operation: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#track(work);
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

  /** An operation may still be pending after its caller has given up. */
  #track<T>(work: () => Promise<T>): Promise<T> {
    const begun = work();
    this.#pending.add(begun);
    const end = (): void => void this.#pending.delete(begun);
    begun.then(end, end);
    return begun;
  }
}
