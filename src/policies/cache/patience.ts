import { DeadlineError, withDeadline } from '../../core/clock.ts';
import type { Call, Host } from '../../core/contract.ts';
import type { Run } from '../../core/stage.ts';

/** A caller waits so long for the store and no longer: some browsers never answer an open. In ms. */
const READ = 2_000;

/** A large body on a slow disk, in ms. */
const WRITE = 30_000;

/** A store that did not answer is not asked again for so long, in ms: not every read is to wait for it. */
const LEFT_ALONE = 30_000;

/** For what, and by which read, the store is asked. */
export interface Asker {
  readonly request: Request;
  readonly call: Call;
  /** In the turn of a stage; absent beside it. */
  readonly run?: Run | undefined;
}

/** Asks a store, and does without it where it fails or does not answer. */
export class Patience {
  readonly #failed: (operation: string, error: unknown) => void;
  readonly #underWay = new Set<Promise<unknown>>();
  #until = -Infinity;

  constructor(failed: (operation: string, error: unknown) => void) {
    this.#failed = failed;
  }

  /**
   * For a read: what the store does not give within its time it does not have.
   *
   * @throws what ended the read.
   */
  async reading<T>(operation: string, { call, run }: Asker, work: () => Promise<T>): Promise<T | undefined> {
    if (this.isLeftAlone(call.host)) return undefined;
    let isEnded = false;
    try {
      const begun = this.#begun(work);
      if (!run) return await withDeadline(READ, call, begun);
      return await run.wait(READ, begun, () => {
        isEnded = true;
      });
    } catch (error) {
      const isLate = error instanceof DeadlineError;
      if (call.signal.aborted || (isEnded && !isLate)) throw error;
      if (isLate) this.#until = call.host.clock.ticks() + LEFT_ALONE;
      this.#failed(operation, error);
      return undefined;
    }
  }

  /** Whether the store is left alone just now, because it did not answer. */
  isLeftAlone(host: Host): boolean {
    return host.clock.ticks() < this.#until;
  }

  /** What has to be tried in any case, and for which a caller waits a little, unless the store is left alone. */
  soon<T>(operation: string, host: Host, work: () => Promise<T>): Promise<T | undefined> {
    return this.waiting(operation, host, this.behind(operation, work));
  }

  /** The same in the turn of a stage. @throws what ended the run. */
  soonIn<T>(operation: string, run: Run, work: () => Promise<T>): Promise<T | undefined> {
    const done = this.behind(operation, work);
    return run.wait(Number.POSITIVE_INFINITY, this.waiting(operation, run.call.host, done));
  }

  /** Waits for what `behind` has begun, unless the store is left alone. */
  async waiting<T>(operation: string, host: Host, done: Promise<T>, ms = READ): Promise<T | undefined> {
    if (this.isLeftAlone(host)) return undefined;
    try {
      return await withDeadline(ms, { host }, done);
    } catch (error) {
      this.#until = host.clock.ticks() + LEFT_ALONE;
      this.#failed(operation, error);
      return undefined;
    }
  }

  /** The same, and a caller's work is not over before: so it is given up some time. */
  writing<T>(operation: string, host: Host, work: () => Promise<T>): Promise<T | undefined> {
    return this.waiting(operation, host, this.behind(operation, work), WRITE);
  }

  /** What has to be tried in any case, and nobody waits for. */
  async behind<T>(operation: string, work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await this.#begun(work);
    } catch (error) {
      this.#failed(operation, error);
      return undefined;
    }
  }

  /** Runs a task when the store has done what it was asked. One that hangs is left to itself. */
  whenDone(task: () => void): void {
    if (this.#underWay.size === 0) task();
    else void Promise.allSettled(this.#underWay).then(() => this.whenDone(task));
  }

  /** What nobody waits for any more may still be under way. */
  #begun<T>(work: () => Promise<T>): Promise<T> {
    const begun = work();
    this.#underWay.add(begun);
    const end = (): void => void this.#underWay.delete(begun);
    begun.then(end, end);
    return begun;
  }
}
