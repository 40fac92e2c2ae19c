import type { Run } from '../../core/stage.ts';

/** Where calls may not wait for one another (Workers), each looks again after this time, in ms. */
const POLL = 100;

/** A call that waits. */
interface Waiting {
  readonly path: string;
  /** It cannot be repeated: a call that can is the better probe. */
  readonly isOnly: boolean;
  wakeUp(): void;
}

/** The calls that wait for a circuit to change, and how long each of them may. */
export class WaitingRoom {
  readonly #waiting = new Map<string, Set<Waiting>>();
  /** In ticks, by the attempts of a call: what all that is derived from it has in common. */
  readonly #deadlines = new WeakMap<object, number>();
  readonly #maxWait: number;
  readonly #failedPath: (key: string) => string | undefined;

  /**
   * @param maxWait Of a call, in ms, from the first time that it waits.
   * @param failedPath The path of the call that failed last.
   */
  constructor(maxWait: number, failedPath: (key: string) => string | undefined) {
    this.#maxWait = maxWait;
    this.#failedPath = failedPath;
  }

  /** When a call has waited long enough, in ticks. */
  deadlineOf({ call: { attempts, host }, deadline }: Run): number {
    let own = this.#deadlines.get(attempts);
    if (own === undefined) {
      own = host.clock.ticks() + this.#maxWait;
      this.#deadlines.set(attempts, own);
    }
    return Math.min(own, deadline);
  }

  count(key: string): number {
    return this.#waiting.get(key)?.size ?? 0;
  }

  /**
   * Lets all calls that wait for a circuit look at it again. The first one may become the probe: a call to another path than
   * the one that failed last, so that one broken path does not hold up the others; and one that can be repeated.
   */
  wake(key: string): void {
    const calls = this.#waiting.get(key);
    if (!calls) return;
    this.#waiting.delete(key);
    const failedPath = this.#failedPath(key);
    const rank = ({ path, isOnly }: Waiting): number => (path === failedPath ? 2 : 0) + (isOnly ? 1 : 0);
    for (const { wakeUp } of [...calls].sort((a, b) => rank(a) - rank(b))) wakeUp();
  }

  /**
   * Waits until the circuit changes, and at most `ms`.
   *
   * @throws the reason if the run ends.
   */
  change(key: string, ms: number, path: string, run: Run): Promise<void> {
    const { sharesIO, clock } = run.call.host;
    const calls = this.#waiting.get(key) ?? new Set();
    let leave = (): void => {};
    const change = new Promise<void>((resolve) => {
      const wakeUp = (): void => {
        leave();
        resolve();
      };
      const waiting: Waiting = { path, isOnly: run.attemptsLeft === 0, wakeUp };
      const cancel = clock.after(sharesIO ? ms : Math.min(POLL, ms), () => {
        // In the order of `wake`, and not in that of the timers.
        this.wake(key);
        wakeUp();
      });
      leave = () => {
        cancel();
        calls.delete(waiting);
        if (calls.size === 0 && this.#waiting.get(key) === calls) this.#waiting.delete(key);
      };
      if (sharesIO) this.#waiting.set(key, calls.add(waiting));
    });
    return run.wait(Number.POSITIVE_INFINITY, change, () => leave());
  }
}
