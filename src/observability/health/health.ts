import { dropBody } from '../../core/body/body.ts';
import type { Host } from '../../core/contract.ts';
import { TimeoutError } from '../../core/errors.ts';
import { hostRule, systemHost } from '../../core/host.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { sleep, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError, HoldfastError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import {
  abortSignal,
  ofType,
  positiveDuration,
  readSettings,
  type SettingsOf,
  settingsTable,
} from '../../primitives/validate.ts';

export interface Health {
  readonly url: string;
  readonly healthy: boolean;
  /** Milliseconds until it was known. */
  readonly latency: number;
  /** Wall time in ms. */
  readonly checkedAt: number;
  /** The status of the response, if there was one. */
  readonly status?: number;
  /**
   * Why it is not healthy: `'status'`, `'timeout'`, `'network'`, `'redirected'` (to another origin, as captive portals do),
   * `'check'`, or the text that the check returned.
   */
  readonly reason?: string;
}

/** Evaluates a response: returns `false`, or the reason, if the service is not healthy. */
export type HealthCheck = (response: Response) => Said | Promise<Said>;
// biome-ignore lint/suspicious/noConfusingVoidType: a check that only throws returns nothing
type Said = boolean | string | undefined | void;

export interface CheckOptions {
  /** Evaluates a 2xx and may read its body; an error means unhealthy. Default: every 2xx is healthy. */
  readonly check?: HealthCheck;
  /** Method and headers of the request. Default: a GET that bypasses caches. */
  readonly init?: Omit<RequestInit, 'signal' | 'body'>;
  /** Default: the platform's, so that neither retries nor circuits stand in between. */
  readonly fetch?: (url: string, init: RequestInit) => Promise<Response>;
  readonly signal?: AbortSignal;
  /** Clock, chance and connectivity, for tests. */
  readonly host?: Partial<Host>;
}

export interface HealthOptions extends CheckOptions {
  /** Until it is known, the body that the check reads included. Default 5 s. */
  readonly timeout?: Duration;
}

/** The options of everything that checks a URL. */
export const checkTable = /* @__PURE__ */ settingsTable({
  check: [undefined, ofType<CheckOptions['check']>('function')],
  init: [undefined, ofType<CheckOptions['init']>('object')],
  fetch: [(url, init) => globalThis.fetch(url, init), ofType<NonNullable<CheckOptions['fetch']>>('function')],
  signal: [undefined, abortSignal],
  host: [systemHost, hostRule],
});

/** @throws {ConfigurationError} if it is not a URL that can be fetched from here. */
export function checkedUrl(url: unknown, option: string): string {
  const base = (globalThis as { location?: { href?: string } }).location?.href;
  const isText = typeof url === 'string' || url instanceof URL;
  if (isText && URL.canParse(String(url), base)) return new URL(String(url), base).href;
  throw new ConfigurationError(
    option,
    isText ? String(url) : url,
    'expected a URL, absolute where there is no page',
  );
}

/**
 * Checks the health of a service by one request, which is not repeated.
 *
 * @returns the result, also without a response.
 * @throws only the reason of the caller's signal.
 *
 * @example
 * const { healthy, latency } = await health('https://api.example.com/health', {
 *   check: async (response) => (await response.json()).status === 'ok',
 * });
 */
export async function health(url: string | URL, options: HealthOptions = {}): Promise<Health> {
  const { timeout, ...settings } = readSettings(
    'health',
    { ...checkTable, timeout: [5_000, positiveDuration] },
    options,
  );
  return checkHealth(checkedUrl(url, 'health.url'), settings, timeout);
}

/** One check of an absolute URL. @param timeout In ms. */
export async function checkHealth(
  url: string,
  { host, signal, ...asking }: SettingsOf<typeof checkTable>,
  timeout: number,
): Promise<Health> {
  signal?.throwIfAborted();
  const { clock } = host;
  const since = clock.ticks();
  const inner = createAborter();
  const cancel = clock.after(timeout, () => inner.abort(new TimeoutError('total', timeout)));
  const unfollow = signal ? follow(signal, inner.abort) : () => {};
  let response: Response | undefined;
  let reason: string | undefined;
  try {
    const asked = asking.fetch(url, { ...UNCACHED, ...asking.init, signal: inner.signal });
    // A fetch that ignores its signal may respond too late: drop that response.
    asked.then((late) => inner.signal.aborted && dropBody(late)).catch(() => {});
    const limits = { host, signal: inner.signal };
    response = await withDeadline(Infinity, limits, asked);
    reason = await withDeadline(Infinity, limits, evaluate(url, response, asking.check));
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    reason = error instanceof TimeoutError || inner.signal.aborted ? 'timeout' : 'network';
  } finally {
    cancel();
    unfollow();
    dropBody(response);
  }
  return {
    url,
    healthy: reason === undefined,
    latency: clock.ticks() - since,
    checkedAt: clock.now(),
    ...(response && { status: response.status }),
    ...(reason !== undefined && { reason }),
  };
}

/** Where there is no such mode there is no cache to be passed by, and naming it may be an error. */
const UNCACHED: RequestInit = 'cache' in Request.prototype ? { cache: 'no-store' } : {};

/** @returns why a response is not that of a healthy service. */
async function evaluate(
  url: string,
  response: Response,
  check: HealthCheck | undefined,
): Promise<string | undefined> {
  if (redirectsAway(response, new URL(url))) return 'redirected';
  if (!response.ok) return 'status';
  try {
    const said = await check?.(response);
    return typeof said === 'string' ? said : said === false ? 'check' : undefined;
  } catch {
    return 'check';
  }
}

/** Browsers do not say where a redirect leads to that was not followed (`init.redirect: 'manual'`). */
function redirectsAway(response: Response, asked: URL): boolean {
  if (response.redirected) return new URL(response.url).origin !== asked.origin;
  if (response.type === 'opaqueredirect') return true;
  const to = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null;
  return to !== null && URL.canParse(to, asked) && new URL(to, asked).origin !== asked.origin;
}

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
