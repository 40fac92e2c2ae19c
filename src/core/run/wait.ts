import { type Clock, DeadlineError } from '../../primitives/clock.ts';
import { notify } from '../../primitives/emitter.ts';

/** The one wait of a run. */
export class Wait {
  #stop: ((reason: unknown) => void) | undefined;

  /**
   * Waits `ms`, or for `work`.
   *
   * @param abandon Called at once, with the reason, if the wait ends before `work` has.
   * @throws what `end` is given; a `DeadlineError` if work takes longer than `ms`.
   */
  begin<T>(
    clock: Clock,
    ms: number,
    work: Promise<T> | undefined,
    abandon: ((reason: unknown) => void) | undefined,
  ): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      const end = (settle: () => void): void => {
        if (cancel) cancel();
        if (this.#stop === stop) this.#stop = undefined;
        settle();
      };
      const stop = (reason: unknown): void => {
        if (abandon) notify(abandon, reason);
        end(() => reject(reason));
      };
      const cancel =
        ms !== Infinity &&
        clock.after(ms, () => {
          if (work) stop(new DeadlineError(`no result in ${ms} ms`));
          else end(() => resolve(undefined as T));
        });
      this.#stop = stop;
      work?.then(
        (value) => end(() => resolve(value)),
        (error) => end(() => reject(error)),
      );
    });
  }

  end(reason: unknown): void {
    const stop = this.#stop;
    this.#stop = undefined;
    stop?.(reason);
  }
}
