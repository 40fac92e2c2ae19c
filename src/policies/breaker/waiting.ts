import { follow } from '../../core/abort.ts';
import type { Call } from '../../core/contract.ts';

/** Where calls may not wait for one another (Workers), each looks again after this time, in ms. */
const POLL = 100;

/** The calls that wait for a circuit to change, and how long each of them may. */
export class WaitingRoom {
  readonly #waiting = new Map<string, Set<() => void>>();
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

  /** Lets all calls that wait for a circuit look at it again. */
  wake(key: string): void {
    const calls = this.#waiting.get(key);
    if (!calls) return;
    this.#waiting.delete(key);
    for (const wakeUp of calls) wakeUp();
  }

  /** Waits until the circuit changes, and at most `ms`. @throws the call's abort reason. */
  change(key: string, ms: number, { host, signal }: Call): Promise<void> {
    return new Promise((resolve, reject) => {
      const calls = this.#waiting.get(key) ?? new Set();
      const end = (settle: () => void): void => {
        calls.delete(wakeUp);
        if (calls.size === 0 && this.#waiting.get(key) === calls) this.#waiting.delete(key);
        cancel();
        unfollow();
        settle();
      };
      const wakeUp = (): void => end(resolve);
      if (host.sharesIO) {
        this.#waiting.set(key, calls);
        calls.add(wakeUp);
      }
      const cancel = host.clock.after(host.sharesIO ? ms : Math.min(POLL, ms), wakeUp);
      let unfollow = (): void => {};
      unfollow = follow(signal, (reason) => end(() => reject(reason)));
    });
  }
}
