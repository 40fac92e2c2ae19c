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
