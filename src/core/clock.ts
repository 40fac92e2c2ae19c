import { follow } from './abort.ts';
import type { Clock, Host } from './contract.ts';

/** Timers beyond this fire at once (HTML, "timer initialization steps": a signed 32-bit number). */
const LONGEST = 2 ** 31 - 1;

/** The platform's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  ticks: () => performance.now(),
  after(ms, task, { background = false } = {}) {
    let timer: ReturnType<typeof setTimeout>;
    const arm = (left: number): void => {
      timer = setTimeout(() => (left > LONGEST ? arm(left - LONGEST) : task()), Math.min(left, LONGEST));
      if (background) letGo(timer);
    };
    if (ms !== Infinity) arm(ms);
    return () => clearTimeout(timer);
  },
};

/** Node and Bun hand out an object, Deno a number and a function of its own; browsers have nothing to let go of. */
function letGo(timer: unknown): void {
  const { Deno } = globalThis as { Deno?: { unrefTimer?(id: number): void } };
  if (typeof timer === 'number') Deno?.unrefTimer?.(timer);
  else (timer as { unref?(): void }).unref?.();
}

/**
 * Waits on the host's clock.
 *
 * @throws the signal's reason, as soon as it aborts.
 */
export function sleep(ms: number, { host, signal }: { host: Host; signal: AbortSignal }): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const cancel = host.clock.after(ms, () => {
      unfollow();
      resolve();
    });
    const unfollow = follow(signal, (reason) => {
      cancel();
      reject(reason);
    });
  });
}

/** Work of somebody else's did not end in time; it may go on. */
export class OverdueError extends Error {}

/**
 * Waits for work of somebody else's, and not for ever.
 *
 * @throws the signal's reason as soon as it aborts; an `OverdueError` after `ms`. The work itself goes on.
 */
export function within<T>(
  ms: number,
  { host, signal }: { host: Host; signal?: AbortSignal },
  work: T | PromiseLike<T>,
): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = host.clock.after(ms, () => end(() => reject(new OverdueError(`no answer in ${ms} ms`))));
    let unfollow = (): void => {};
    const end = (settle: () => void): void => {
      cancel();
      unfollow();
      settle();
    };
    if (signal) unfollow = follow(signal, (reason) => end(() => reject(reason)));
    Promise.resolve(work).then(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    );
  });
}
