import type { Host } from '../../core/contract.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { sleep } from '../../primitives/clock.ts';
import { HoldfastError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import { positiveDuration, readSettings } from '../../primitives/validate.ts';
import { type CheckOptions, checkedUrl, checkHealth, checkTable, type Health } from './health.ts';

export interface WaitOptions extends CheckOptions {
  /** How long to wait for it in all. Default 60 s. */
  readonly timeout?: Duration;
  /** Between two checks, ± 20 %. Default 1 s. */
  readonly interval?: Duration;
  /** One check. Default 5 s. */
  readonly checkTimeout?: Duration;
}

/**
 * Waits for a service to be well: after a deployment, or before a batch.
 *
 * @throws {HoldfastError} code `unhealthy`, category `timeout`, after `timeout`: its message has the result of the last check.
 * @throws the reason of the caller's signal.
 *
 * @example
 * await waitUntilHealthy('https://api.example.com/health', { timeout: '1m' });
 */
export async function waitUntilHealthy(url: string | URL, options: WaitOptions = {}): Promise<Health> {
  const { timeout, interval, checkTimeout, ...settings } = readSettings(
    'waitUntilHealthy',
    {
      ...checkTable,
      timeout: [60_000, positiveDuration],
      interval: [1_000, positiveDuration],
      checkTimeout: [5_000, positiveDuration],
    },
    options,
  );
  const target = checkedUrl(url, 'waitUntilHealthy.url');
  const { host, signal = createAborter().signal } = settings;
  const until = host.clock.ticks() + timeout;
  let isLast = false;
  for (;;) {
    const time = Math.max(1, Math.min(checkTimeout, until - host.clock.ticks()));
    const found = await checkHealth(target, settings, time);
    if (found.healthy) return found;
    const wait = interval * (0.8 + 0.4 * host.random());
    const left = until - host.clock.ticks();
    if (isLast || left <= 1) throw unhealthy(found, timeout);
    // The last check begins while there is time for its response.
    await rested(wait < left ? wait : left / 2, host, signal);
    isLast = wait >= left && until - host.clock.ticks() <= left / 2;
  }
}

/** Coming online ends a wait. */
async function rested(ms: number, host: Host, signal: AbortSignal): Promise<void> {
  const early = createAborter();
  const unfollow = follow(signal, early.abort);
  const unsubscribe = host.connectivity.subscribe((online) => online && early.abort(undefined));
  try {
    await sleep(ms, { host, signal: early.signal });
  } catch {
    signal.throwIfAborted();
  } finally {
    unsubscribe();
    unfollow();
  }
}

const unhealthy = ({ url, status, reason }: Health, timeout: number): HoldfastError =>
  new HoldfastError(
    `${new URL(url).origin} was not healthy within ${timeout} ms: ${reason}${reason === 'status' ? ` ${status}` : ''}`,
    { code: 'unhealthy', category: 'timeout', transient: true, origin: new URL(url).origin },
  );
