import type { Host } from '../../core/contract.ts';
import type { EventOf, HoldfastEvent } from '../../core/events.ts';
import { createAborter } from '../../primitives/abort.ts';
import { notify } from '../../primitives/emitter.ts';
import { pollInBackground } from '../background.ts';
import type { ClientHealth } from '../health/client.ts';
import { categoryOfCall } from '../log/severity.ts';
import {
  type Alarm,
  type MetricsOptions,
  type MetricsSettings,
  readMetrics,
  type Thresholds,
} from './options.ts';
import { isError, Series, SeriesByName, type SeriesSnapshot } from './series.ts';
import { type TopError, TopErrors } from './top-errors.ts';
import { SlidingWindow } from './window.ts';

/** The counters of a window. */
const COUNTED = ['calls', 'errors', 'stale', 'fallback', 'dead'] as const;

type CountedWindow = SlidingWindow<(typeof COUNTED)[number]>;

/** Rates that have an alarm. */
const RATES = ['errorRate', 'staleRate', 'fallbackRate'] as const;

/** How often `health` is called, in ms. */
const ASKING = 60_000;

/** The shortest time between two checks of the alarms, in ms. A failure is checked at once: it may be the last event for a while. */
const LOOKING = 1_000;

export interface Rates {
  /** Milliseconds. */
  readonly window: number;
  readonly calls: number;
  readonly errors: number;
  /** Shares of the calls, from 0 to 1; 0 where there are none. */
  readonly errorRate: number;
  readonly staleRate: number;
  readonly fallbackRate: number;
}

/** Counts since the last reset. Plain data. */
export interface MetricsSnapshot extends SeriesSnapshot {
  /** Wall times in ms. */
  readonly since: number;
  readonly at: number;
  readonly rates: readonly Rates[];
  readonly origins: Readonly<Record<string, SeriesSnapshot>>;
  /** Only calls that have one. */
  readonly operations: Readonly<Record<string, SeriesSnapshot>>;
  readonly topErrors: readonly TopError[];
  /** Decisions by the type of their event, such as `retry`, `cache-served`, `queued`, `dead-lettered`. */
  readonly events: Readonly<Record<string, number>>;
  /** Thresholds that are passed. */
  readonly alarms: readonly Alarm[];
}

export interface Metrics {
  /** For `onEvent`. */
  receive(event: HoldfastEvent): void;
  snapshot(): MetricsSnapshot;
  /** For a chart: how many calls took no longer than each of some bounds, in ms. */
  latencyUpTo(bounds: readonly number[]): number[];
  /** Begins to count anew. */
  reset(): void;
  /** No timer is left. */
  close(): void;
}

/**
 * Counts, error rates, latencies and top errors, in memory that does not grow with the calls: of all, of each origin and of each
 * operation.
 *
 * @example
 * const numbers = metrics({ thresholds: { errorRate: 0.1 }, onAlarm: (alarm) => log(alarm) });
 * const api = createClient({ onEvent: numbers.receive });
 */
export function metrics(options: MetricsOptions = {}): Metrics {
  const settings = readMetrics(options);
  const { host } = settings;
  const { clock } = host;
  const alarms = new Alarms(settings);
  const ended = createAborter();
  let counts = fresh();
  let lookedAt = Number.NEGATIVE_INFINITY;

  function fresh() {
    return {
      since: clock.now(),
      all: new Series(),
      origins: new SeriesByName(settings.series),
      operations: new SeriesByName(settings.series),
      windows: settings.windows.map((ms) => new SlidingWindow(ms, COUNTED)),
      errors: new TopErrors(),
      events: {} as Record<string, number>,
    };
  }

  const inWindows = (name: (typeof COUNTED)[number], now: number): void => {
    for (const window of counts.windows) window.add(name, now);
  };

  const endedCall = (call: EventOf<'call-ended'>, now: number): void => {
    counts.all.add(call);
    counts.origins.of(call.origin).add(call);
    if (call.operation !== undefined) counts.operations.of(call.operation).add(call);
    inWindows('calls', now);
    if (call.source === 'stale') inWindows('stale', now);
    if (call.source === 'fallback') inWindows('fallback', now);
    if (!isError(call)) return;
    inWindows('errors', now);
    counts.errors.add(call, categoryOfCall(call) ?? 'unknown');
  };

  const ratesOf = (window: CountedWindow, now: number): Rates => {
    const { calls, errors, stale, fallback } = window.sums(now);
    const share = (count: number): number => (calls === 0 ? 0 : count / calls);
    return {
      window: window.ms,
      calls,
      errors,
      errorRate: share(errors),
      staleRate: share(stale),
      fallbackRate: share(fallback),
    };
  };

  const look = (now: number, isBad = false): void => {
    if (!isBad && now - lookedAt < LOOKING) return;
    lookedAt = now;
    const [first] = counts.windows as [CountedWindow];
    const rates = ratesOf(first, now);
    const isEnough = rates.calls >= settings.minimum;
    for (const name of RATES) alarms.look(name, rates[name], isEnough);
    alarms.look('p95', counts.all.latency.quantile(0.95), isEnough);
    if (!settings.health) alarms.look('deadLetters', first.sums(now).dead);
  };

  const heed = ({ at, outbox, quota }: ClientHealth): void => {
    if (outbox && !('error' in outbox)) {
      alarms.look('deadLetters', outbox.deadLetters);
      alarms.look('queueAge', outbox.oldest === undefined ? 0 : at - outbox.oldest);
    }
    if (quota) alarms.look('quota', quota.usage / quota.quota);
  };

  const { health } = settings;
  // It sends no request, and a queue grows old while the host is offline.
  const always: Host = { ...host, connectivity: { state: true, subscribe: () => () => {} } };
  if (health) pollInBackground(ASKING, always, ended.signal, async () => heed(await health()));

  return {
    receive(event) {
      const now = clock.ticks();
      counts.events[event.type] = (counts.events[event.type] ?? 0) + 1;
      if (event.type === 'dead-lettered') inWindows('dead', now);
      if (event.type === 'call-ended') endedCall(event, now);
      look(now, mayRaiseAlarm(event));
    },
    snapshot() {
      const now = clock.ticks();
      lookedAt = Number.NEGATIVE_INFINITY;
      look(now);
      const { since, all, windows, origins, operations, errors, events } = counts;
      return {
        since,
        at: clock.now(),
        ...all.snapshot(),
        rates: windows.map((window) => ratesOf(window, now)),
        origins: origins.snapshot(),
        operations: operations.snapshot(),
        topErrors: errors.top(10),
        events: { ...events },
        alarms: alarms.raised,
      };
    },
    latencyUpTo: (bounds) => counts.all.latency.upTo(bounds),
    reset() {
      counts = fresh();
      for (const name of [...RATES, 'p95'] as const) alarms.look(name, 0);
      if (!health) alarms.look('deadLetters', 0);
    },
    close: () => ended.abort(undefined),
  };
}

/** Whether it may begin an alarm. */
function mayRaiseAlarm(event: HoldfastEvent): boolean {
  if (event.type === 'dead-lettered') return true;
  return (
    event.type === 'call-ended' && (event.source === 'stale' || event.source === 'fallback' || isError(event))
  );
}

/** Below this share of its threshold an alarm is over: a figure that trembles does not ring for ever. */
const OVER = 0.9;

/** Which thresholds are passed. */
class Alarms {
  readonly #settings: MetricsSettings;
  readonly #raised = new Map<keyof Thresholds, Alarm>();

  constructor(settings: MetricsSettings) {
    this.#settings = settings;
  }

  get raised(): Alarm[] {
    return [...this.#raised.values()];
  }

  /** @param isEnough False: the figure is of too little to begin an alarm with; one that goes on may end. */
  look(name: keyof Thresholds, value: number, isEnough = true): void {
    const { thresholds, onAlarm, host } = this.#settings;
    const threshold = thresholds[name];
    if (threshold === undefined) return;
    const wasRaised = this.#raised.has(name);
    const raised = wasRaised
      ? !(value === 0 || value < threshold * OVER)
      : isEnough && value > 0 && value >= threshold;
    if (raised === wasRaised) return;
    const alarm = { name, value, threshold, raised, at: host.clock.now() };
    if (raised) this.#raised.set(name, alarm);
    else this.#raised.delete(name);
    if (onAlarm) notify(onAlarm, alarm);
  }
}
