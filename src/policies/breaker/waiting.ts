import { follow } from '../../core/abort.ts';
import type { Call } from '../../core/contract.ts';

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

  /** @param maxWait Of a call, in ms, from the first time that it waits. */
  constructor(maxWait: number) {
    this.#maxWait = maxWait;
  }

  /** When a call has waited long enough, in ticks. */
  deadlineOf({ attempts, deadline = Infinity, host }: Call): number {
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
  wake(key: string, failedPath?: string): void {
    const calls = this.#waiting.get(key);
    if (!calls) return;
    this.#waiting.delete(key);
    const rank = ({ path, isOnly }: Waiting): number => (path === failedPath ? 2 : 0) + (isOnly ? 1 : 0);
    for (const { wakeUp } of [...calls].sort((a, b) => rank(a) - rank(b))) wakeUp();
  }

  /**
   * Waits until the circuit changes, and at most `ms`.
   *
   * @param failedPath Asked when the time is up.
   * @throws the call's abort reason.
   */
  change(
    key: string,
    ms: number,
    path: string,
    call: Call,
    failedPath: () => string | undefined,
  ): Promise<void> {
    const { host, signal, attemptsLeft } = call;
    return new Promise((resolve, reject) => {
      const calls = this.#waiting.get(key) ?? new Set();
      const end = (settle: () => void): void => {
        calls.delete(waiting);
        if (calls.size === 0 && this.#waiting.get(key) === calls) this.#waiting.delete(key);
        cancel();
        unfollow();
        settle();
      };
      const waiting: Waiting = { path, isOnly: attemptsLeft === 0, wakeUp: () => end(resolve) };
      if (host.sharesIO) {
        this.#waiting.set(key, calls);
        calls.add(waiting);
      }
      const cancel = host.clock.after(host.sharesIO ? ms : Math.min(POLL, ms), () => {
        // In the order of `wake`, and not in that of the timers.
        if (host.sharesIO) this.wake(key, failedPath());
        waiting.wakeUp();
      });
      let unfollow = (): void => {};
      unfollow = follow(signal, (reason) => end(() => reject(reason)));
    });
  }
}
