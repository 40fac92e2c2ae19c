import type { Connectivity } from '../core/contract.ts';
import type { HoldfastEvent } from '../core/events.ts';
import { createAborter } from '../primitives/abort.ts';
import { Emitter, notify } from '../primitives/emitter.ts';
import type { Duration } from '../primitives/units.ts';
import { ofType, positiveDuration, readSettings } from '../primitives/validate.ts';
import { pollInBackground } from './background.ts';
import { type CheckOptions, checkedUrl, checkHealth, checkTable, type Health } from './health/health.ts';

/**
 * - `online`: the last probe had a response, or nothing speaks against it.
 * - `offline`: the platform says so.
 * - `captive`: a portal responds in place of the probe's origin.
 * - `unreachable`: the platform says that there is a network, but the origin does not respond.
 */
export type Reachability = 'online' | 'offline' | 'captive' | 'unreachable';

export interface ConnectivityOptions extends Omit<CheckOptions, 'signal'> {
  /** A URL of your own with a cheap response; `check` says which response is right. */
  readonly probe: string | URL;
  /** Between two probes while there is no way out, ± 20 %. Default 15 s. */
  readonly interval?: Duration;
  /** The shortest time between two probes. Default 10 s. */
  readonly cacheFor?: Duration;
  /** One probe. Default 5 s. */
  readonly timeout?: Duration;
  /** Called at each change. */
  readonly onChange?: (now: Reachability) => void;
}

/** Connectivity for `host: { connectivity }`. */
export interface ProbedConnectivity extends Connectivity {
  readonly reachability: Reachability;
  /** Probes now. */
  check(): Promise<Reachability>;
  /** Takes the events of a pipeline (`onEvent`): a network error is a reason to probe. */
  receive(event: HoldfastEvent): void;
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
 * const api = createClient({ host: { connectivity: online }, onEvent: online.receive });
 */
export function connectivity(options: ConnectivityOptions): ProbedConnectivity {
  const { signal: _, ...table } = checkTable;
  const { probe, interval, cacheFor, timeout, onChange, ...settings } = readSettings(
    'connectivity',
    {
      ...table,
      probe: [undefined, (value, option) => checkedUrl(value, option)],
      interval: [15_000, positiveDuration],
      cacheFor: [10_000, positiveDuration],
      timeout: [5_000, positiveDuration],
      onChange: [undefined, ofType<ConnectivityOptions['onChange']>('function')],
    },
    options,
  );
  const url = checkedUrl(probe, 'connectivity.probe');
  const ended = createAborter();
  const { host } = settings;
  const { clock, connectivity: online } = host;
  const changes = new Emitter<boolean>();
  let found: Exclude<Reachability, 'offline'> = 'online';
  let last: Reachability = online.state ? 'online' : 'offline';
  let probedAt = Number.NEGATIVE_INFINITY;
  let probing: Promise<void> | undefined;
  /** A result is valid for the network over which its probe was sent. */
  let network = createAborter();
  let watching: ReturnType<typeof createAborter> | undefined;

  const now = (): Reachability => (online.state ? found : 'offline');

  const compare = (): void => {
    const before = last;
    last = now();
    if (last === before) return;
    if (onChange && !ended.signal.aborted) notify(onChange, last);
    if ((before === 'online') === (last === 'online')) return;
    changes.emit(last === 'online');
  };

  const probeNow = (): Promise<void> => {
    if (probing) return probing;
    const { signal } = network;
    const mine = checkHealth(url, { ...settings, signal }, timeout)
      .then((health) => {
        if (signal.aborted) return;
        probedAt = clock.ticks();
        found = reachabilityOf(health);
        compare();
        watch();
      })
      // Aborted by `close()` or by a change of the network.
      .catch(() => {})
      .finally(() => {
        if (probing === mine) probing = undefined;
      });
    probing = mine;
    return mine;
  };

  /** Drops results of the former network. */
  const reset = (): void => {
    network.abort(new DOMException('the network has changed', 'AbortError'));
    network = createAborter();
    probing = undefined;
    found = 'online';
  };

  /** Probes in the background as long as the origin does not respond. */
  const watch = (): void => {
    if (found === 'online' || ended.signal.aborted) {
      watching?.abort(undefined);
      watching = undefined;
    } else if (!watching) {
      watching = createAborter();
      pollInBackground(interval, host, watching.signal, probeNow, { atOnce: false });
    }
  };

  const unsubscribe = online.subscribe((up) => {
    reset();
    watch();
    compare();
    if (up && !ended.signal.aborted) void probeNow();
    leave();
  });

  /** After `close()` the platform is followed only as long as something waits for it. */
  const leave = (): void => {
    if (ended.signal.aborted && !changes.hasListeners) unsubscribe();
  };

  return {
    get state() {
      return now() === 'online';
    },
    get reachability() {
      return now();
    },
    subscribe: (listener) => (ended.signal.aborted ? online : changes).subscribe(listener),
    async check() {
      if (online.state && !ended.signal.aborted) await probeNow();
      return now();
    },
    receive(event) {
      if (event.type !== 'attempt-ended' || ended.signal.aborted || !online.state) return;
      const failed = event.error === 'network' || event.error === 'timeout-attempt';
      // A response says that there may be a way out again, also while nothing is probed in a hidden page.
      const mayHaveChanged = found === 'online' ? failed : event.status !== undefined;
      if (mayHaveChanged && clock.ticks() - probedAt >= cacheFor) void probeNow();
    },
    close() {
      ended.abort(undefined);
      // A call that waits for the network must not wait for ever.
      reset();
      watch();
      compare();
      leave();
    },
  };
}

/** RFC 6585, 6: the status of a portal, never of an origin. */
const NETWORK_AUTHENTICATION_REQUIRED = 511;

/** An origin that responds with an error can be reached. */
function reachabilityOf({ reason, status }: Health): Exclude<Reachability, 'offline'> {
  if (status === NETWORK_AUTHENTICATION_REQUIRED) return 'captive';
  if (reason === undefined || reason === 'status') return 'online';
  return reason === 'network' || reason === 'timeout' ? 'unreachable' : 'captive';
}
