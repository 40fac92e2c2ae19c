import { createAborter } from '../core/abort.ts';
import { ofType, positiveDuration, readOptions } from '../core/check.ts';
import type { Connectivity } from '../core/contract.ts';
import type { Duration } from '../core/durations.ts';
import type { HoldfastEvent } from '../core/events.ts';
import { notify } from '../core/tell.ts';
import { everyNowAndThen } from './background.ts';
import {
  type CheckOptions,
  checkedUrl,
  checkHealth,
  checkRules,
  checkSettings,
  type Health,
} from './health/health.ts';

/**
 * - `online`: the last probe was answered, or nothing speaks against it.
 * - `offline`: the platform says so.
 * - `captive`: a portal answers in place of the probe's origin.
 * - `unreachable`: the platform says that there is a network, and nobody answers over it.
 */
export type Reachability = 'online' | 'offline' | 'captive' | 'unreachable';

export interface ConnectivityOptions extends Omit<CheckOptions, 'signal'> {
  /** A URL of your own that is cheap to answer; what it has to answer `check` says. */
  readonly probe: string | URL;
  /** Between two probes while there is no way out, ± 20 %. Default 15 s. */
  readonly interval?: Duration;
  /** For so long a probe is not repeated, whatever speaks for it. Default 10 s. */
  readonly cacheFor?: Duration;
  /** One probe. Default 5 s. */
  readonly timeout?: Duration;
  /** Told of each change, and why. */
  readonly onChange?: (now: Reachability) => void;
}

/** Connectivity for `host: { online }`. */
export interface ProbedConnectivity extends Connectivity {
  readonly reachability: Reachability;
  /** Looks now. */
  check(): Promise<Reachability>;
  /** Hears what a pipeline tells (`onEvent`): a network error is a reason to look. */
  hear(event: HoldfastEvent): void;
  /** No timer, listener or request is left. */
  close(): void;
}

/**
 * Whether there is a way out. That the platform says there is none is believed; that it says there is one is only a hint
 * (it may be a captive portal, or a network without a way out), so a URL is probed: when the network comes back, when a call has
 * found none, and while there is none, now and then.
 *
 * @example
 * const online = connectivity({ probe: '/ping' });
 * const api = createClient({ host: { connectivity: online }, onEvent: online.hear });
 */
export function connectivity(options: ConnectivityOptions): ProbedConnectivity {
  const { signal: _, ...rules } = checkRules;
  const { probe, interval, cacheFor, timeout, onChange, ...own } = readOptions<ConnectivityOptions>(
    'connectivity',
    options,
    {
      ...rules,
      probe: (value, option) => checkedUrl(value as string, option),
      interval: positiveDuration,
      cacheFor: positiveDuration,
      timeout: positiveDuration,
      onChange: ofType('function'),
    },
    { interval: 15_000, cacheFor: 10_000, timeout: 5_000 } as ConnectivityOptions,
  ) as ConnectivityOptions & { probe: string; interval: number; cacheFor: number; timeout: number };
  const url = checkedUrl(probe, 'connectivity.probe');
  const ended = createAborter();
  const settings = checkSettings(own);
  const { host } = settings;
  const { clock, connectivity: online } = host;
  const listeners = new Set<(online: boolean) => void>();
  let found: Exclude<Reachability, 'offline'> = 'online';
  let told: Reachability = online.state ? 'online' : 'offline';
  let probedAt = Number.NEGATIVE_INFINITY;
  let probing: Promise<void> | undefined;
  /** What a probe finds is true of the network over which it was sent. */
  let network = createAborter();
  let watching: ReturnType<typeof createAborter> | undefined;

  const now = (): Reachability => (online.state ? found : 'offline');

  const compare = (): void => {
    const before = told;
    told = now();
    if (told === before) return;
    if (onChange) notify(onChange, told);
    if ((before === 'online') === (told === 'online')) return;
    inform(told === 'online');
  };

  /** Who listens anew in the middle of it is told of the next change. */
  const inform = (isOnline: boolean): void => {
    for (const listener of [...listeners]) notify(listener, isOnline);
  };

  const look = (): Promise<void> => {
    if (probing) return probing;
    const { signal } = network;
    const mine = checkHealth(url, { ...settings, signal }, timeout)
      .then((health) => {
        if (signal.aborted) return;
        probedAt = clock.ticks();
        found = meaning(health);
        compare();
        watch();
      })
      // Closed in the middle of it, or of a network that is gone.
      .catch(() => {})
      .finally(() => {
        if (probing === mine) probing = undefined;
      });
    probing = mine;
    return mine;
  };

  /** Whatever was found, or is being looked for, was another network. */
  const forget = (): void => {
    network.abort(new DOMException('the network has changed', 'AbortError'));
    network = createAborter();
    probing = undefined;
    found = 'online';
  };

  /** As long as there is no way out. */
  const watch = (): void => {
    if (found === 'online' || ended.signal.aborted) {
      watching?.abort(undefined);
      watching = undefined;
    } else if (!watching) {
      watching = createAborter();
      everyNowAndThen(interval, host, watching.signal, look, { atOnce: false });
    }
  };

  const suspect = (): void => {
    if (!ended.signal.aborted && online.state && clock.ticks() - probedAt >= cacheFor) void look();
  };

  const unsubscribe = online.subscribe((up) => {
    forget();
    watch();
    compare();
    if (up) void look();
  });

  return {
    get state() {
      return now() === 'online';
    },
    get reachability() {
      return now();
    },
    subscribe(listener) {
      const own = (online: boolean): void => listener(online);
      listeners.add(own);
      return () => void listeners.delete(own);
    },
    async check() {
      if (online.state && !ended.signal.aborted) await look();
      return now();
    },
    hear(event) {
      if (event.type === 'attempt-ended' && (event.error === 'network' || event.error === 'timeout-attempt'))
        suspect();
    },
    close() {
      const wasAway = now() !== 'online';
      ended.abort(undefined);
      // From here on only the platform is believed: who waits for a way out is not to wait for ever.
      forget();
      watch();
      unsubscribe();
      if (wasAway && online.state) inform(true);
      listeners.clear();
    },
  };
}

/** RFC 6585, 6: what a portal answers, and no origin. */
const NETWORK_AUTHENTICATION_REQUIRED = 511;

/** An origin with trouble of its own can be reached. */
function meaning({ reason, status }: Health): Exclude<Reachability, 'offline'> {
  if (status === NETWORK_AUTHENTICATION_REQUIRED) return 'captive';
  if (reason === undefined || reason === 'status') return 'online';
  return reason === 'network' || reason === 'timeout' ? 'unreachable' : 'captive';
}
