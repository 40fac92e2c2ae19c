import type { Host } from '../../core/contract.ts';
import { hostRule, systemHost } from '../../core/host.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import {
  between,
  integer,
  list,
  ofType,
  positiveDuration,
  type Rule,
  readSettings,
} from '../../primitives/validate.ts';
import type { ClientHealth } from '../health/client.ts';

/** The value at which an alarm is raised; it ends below nine tenths of that. 0: any value above 0. */
export interface Thresholds {
  /** Share of calls that failed unexpectedly (network, time-outs, 5xx, 429, refusals), from 0 to 1. */
  readonly errorRate?: number;
  /** Share of calls that got a stale cached response. */
  readonly staleRate?: number;
  /** Share of calls that got the fallback. */
  readonly fallbackRate?: number;
  /** The 95th percentile of all calls since the last reset. */
  readonly p95?: Duration;
  /** Dead letters: those of events in the shortest window, or, with `health`, all that there are. */
  readonly deadLetters?: number;
  /** How long the oldest write has waited. Needs `health`. */
  readonly queueAge?: Duration;
  /** Share of the storage that is used. Needs `health`. */
  readonly quota?: number;
}

export interface Alarm {
  readonly name: keyof Thresholds;
  readonly value: number;
  readonly threshold: number;
  /** False: it is over. */
  readonly raised: boolean;
  /** Wall time in ms. */
  readonly at: number;
}

export interface MetricsOptions {
  /** The durations over which rates are counted; alarms use the first. Default 1 and 5 minutes. */
  readonly windows?: readonly Duration[];
  /** How many origins, and how many operations, have a series of their own; the rest share one. Default 50. */
  readonly series?: number;
  /** How many calls a window needs for an alarm about a rate. Default 10. */
  readonly minimum?: number;
  readonly thresholds?: Thresholds;
  /** Called when a threshold is passed, and when that is over. */
  readonly onAlarm?: (alarm: Alarm) => void;
  /** Called every minute, for values without an event: `() => clientHealth(parts)`. */
  readonly health?: () => Promise<ClientHealth>;
  /** Clock, chance and connectivity, for tests. */
  readonly host?: Partial<Host>;
}

const share = /* @__PURE__ */ between(0, 1);

const thresholds: Rule<Partial<Record<keyof Thresholds, number | undefined>>> = (value, option) =>
  readSettings(
    option,
    {
      errorRate: [undefined, share],
      staleRate: [undefined, share],
      fallbackRate: [undefined, share],
      p95: [undefined, positiveDuration],
      deadLetters: [undefined, integer(1)],
      queueAge: [undefined, positiveDuration],
      quota: [undefined, share],
    },
    value,
  );

export type MetricsSettings = ReturnType<typeof readMetrics>;

export function readMetrics(options: MetricsOptions) {
  const settings = readSettings(
    'metrics',
    {
      windows: [[60_000, 300_000], list(positiveDuration)],
      series: [50, integer(1)],
      minimum: [10, integer(1)],
      thresholds: [{}, thresholds],
      onAlarm: [undefined, ofType<MetricsOptions['onAlarm']>('function')],
      health: [undefined, ofType<MetricsOptions['health']>('function')],
      host: [systemHost, hostRule],
    },
    options,
  );
  const { windows, health } = settings;
  if (windows.length === 0) throw new ConfigurationError('metrics.windows', windows, 'expected at least one');
  for (const name of ['queueAge', 'quota'] as const)
    if (settings.thresholds[name] !== undefined && !health)
      throw new ConfigurationError(
        `metrics.thresholds.${name}`,
        settings.thresholds[name],
        'no event tells it: name `health` as well',
      );
  return settings;
}
