import { createAborter } from '../../primitives/abort.ts';
import { notify } from '../../primitives/emitter.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import { integer, ofType, positiveDuration, readSettings, withMethods } from '../../primitives/validate.ts';
import { pollInBackground } from '../background.ts';
import { type CheckOptions, checkedUrl, checkHealth, checkTable, type Health } from './health.ts';

export interface MonitorOptions extends Omit<CheckOptions, 'signal'> {
  /** Between two checks of a URL, ± 20 %. Default 30 s. */
  readonly interval?: Duration;
  /** One check. Default 5 s. */
  readonly checkTimeout?: Duration;
  /** Failed checks in a row after which a URL is unhealthy. Default 2. */
  readonly failures?: number;
  /** Its circuit is opened for the origin of an unhealthy URL, and closed when all of that origin are healthy again. */
  readonly breaker?: Isolating;
  /** Called when a URL becomes healthy or unhealthy. */
  readonly onChange?: (health: Health) => void;
}

/** A breaker, as far as it is needed. */
interface Isolating {
  isolate(origin: string): void;
  reset(origin: string): void;
  states?(): Readonly<Record<string, { readonly state: string }>>;
}

export interface Monitor {
  /** The last result of each URL. */
  states(): readonly Health[];
  /** Checks all of them now. */
  check(): Promise<readonly Health[]>;
  /** Ends it: no further request, and the circuits that it has opened are closed. */
  close(): void;
  [Symbol.dispose](): void;
}

interface Watched {
  readonly url: string;
  readonly origin: string;
  last: Health | undefined;
  failures: number;
  isHealthy: boolean;
  looking: Promise<void> | undefined;
}

/** Missing in some runtimes; a polyfill would change the globals of the application. */
const dispose: typeof Symbol.dispose =
  Symbol.dispose ?? (Symbol.for('Symbol.dispose') as typeof Symbol.dispose);

/**
 * Checks services now and then, so that no user's call has to find out. Not while the page is hidden or offline.
 *
 * @example
 * const circuits = breaker();
 * const api = createClient({ breaker: circuits });
 * const watch = monitor('https://api.example.com/health', { breaker: circuits });
 */
export function monitor(
  urls: string | URL | readonly (string | URL)[],
  options: MonitorOptions = {},
): Monitor {
  const { signal: _, ...table } = checkTable;
  const { interval, checkTimeout, failures, breaker, onChange, ...own } = readSettings(
    'monitor',
    {
      ...table,
      interval: [30_000, positiveDuration],
      checkTimeout: [5_000, positiveDuration],
      failures: [2, integer(1)],
      breaker: [undefined, withMethods<Isolating>('a breaker', 'isolate', 'reset')],
      onChange: [undefined, ofType<MonitorOptions['onChange']>('function')],
    },
    options,
  );
  const list = Array.isArray(urls) ? urls : [urls as string | URL];
  if (list.length === 0) throw new ConfigurationError('monitor.urls', urls, 'expected at least one URL');
  const ended = createAborter();
  const settings = { ...own, signal: ended.signal };
  const watched = list.map((each): Watched => {
    const url = checkedUrl(each, 'monitor.urls');
    return {
      url,
      origin: new URL(url).origin,
      last: undefined,
      failures: 0,
      isHealthy: true,
      looking: undefined,
    };
  });
  /** Single-flight: two checks at once are one failure and not two. */
  const look = (each: Watched): Promise<void> => {
    each.looking ??= looked(each).finally(() => {
      each.looking = undefined;
    });
    return each.looking;
  };
  const looked = async (each: Watched): Promise<void> => {
    const found = await checkHealth(each.url, settings, checkTimeout);
    // A listener may have closed the monitor while the check ran.
    ended.signal.throwIfAborted();
    each.last = found;
    each.failures = found.healthy ? 0 : each.failures + 1;
    const wasHealthy = each.isHealthy;
    each.isHealthy = each.failures < failures;
    feed(each.origin);
    if (onChange && each.isHealthy !== wasHealthy) notify(onChange, found);
  };
  const feed = (origin: string): void => {
    const isWell = watched.every((each) => each.origin !== origin || each.isHealthy);
    if (breaker) (isWell ? unpin : pin)(breaker, origin, ended);
  };
  const states = (): readonly Health[] => watched.flatMap(({ last }) => last ?? []);

  for (const each of watched)
    pollInBackground(interval, settings.host, ended.signal, () => look(each), {
      // A circuit stays isolated only while its origin is checked.
      missed: () => breaker && unpin(breaker, each.origin, ended),
    });

  const close = (): void => {
    ended.abort(new DOMException('the monitor was closed', 'AbortError'));
    if (breaker) for (const { origin } of watched) unpin(breaker, origin, ended);
  };
  return {
    states,
    async check() {
      await Promise.all(watched.map(look));
      return states();
    },
    close,
    [dispose]: close,
  };
}

/** The pins of each circuit of a breaker, by origin. */
const known = new WeakMap<Isolating, Map<string, Set<object>>>();

const pinsOf = (breaker: Isolating, origin: string): Set<object> => {
  const byOrigin = known.get(breaker) ?? new Map<string, Set<object>>();
  known.set(breaker, byOrigin);
  const pins = byOrigin.get(origin) ?? new Set<object>();
  byOrigin.set(origin, pins);
  return pins;
};

/** Isolates a circuit until all its pins are removed. */
function pin(breaker: Isolating, origin: string, pin: object): void {
  const pins = pinsOf(breaker, origin);
  // The application's own isolation is not the monitor's to end.
  if (pins.size === 0 && breaker.states?.()[origin]?.state === 'isolated') return;
  if (pins.size === 0) breaker.isolate(origin);
  pins.add(pin);
}

/** Removes a pin; without pins the circuit closes. */
function unpin(breaker: Isolating, origin: string, pin: object): void {
  const pins = pinsOf(breaker, origin);
  if (pins.delete(pin) && pins.size === 0) breaker.reset(origin);
}
