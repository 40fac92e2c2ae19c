import type { Host } from '../../core/contract.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import {
  between,
  integer,
  list,
  ofType,
  positiveDuration,
  type Rule,
  readOptions,
} from '../../primitives/validate.ts';
import type { ClientHealth } from '../health/client.ts';

/** From which value on a figure is an alarm; it is over at nine tenths of that. 0: whatever is not 0. */
export interface Thresholds {
  /** Share of calls that failed unexpectedly (network, time-outs, 5xx, 429, refusals), from 0 to 1. */
  readonly errorRate?: number;
  /** Share of calls that were answered by a stale copy. */
  readonly staleRate?: number;
  /** Share of calls that were answered by the fallback. */
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
  /** Over how long rates are counted; alarms look at the first. Default 1 and 5 minutes. */
  readonly windows?: readonly Duration[];
  /** So many origins and so many operations are counted by themselves; the others are one. Default 50. */
  readonly series?: number;
  /** Of so many calls in a window a rate is worth an alarm. Default 10. */
  readonly minimum?: number;
  readonly thresholds?: Thresholds;
  /** Called when a threshold is passed, and when that is over. */
  readonly onAlarm?: (alarm: Alarm) => void;
  /** Called every minute, for values without an event: `() => clientHealth(parts)`. */
  readonly health?: () => Promise<ClientHealth>;
  /** Clock, chance and connectivity, for tests. */
  readonly host?: Partial<Host>;
}

/** The options, read. */
export interface MetricsSettings {
  windows: number[];
  series: number;
  minimum: number;
  thresholds: Partial<Record<keyof Thresholds, number>>;
  onAlarm: ((alarm: Alarm) => void) | undefined;
  health: (() => Promise<ClientHealth>) | undefined;
  host: Partial<Host>;
}

const share = between(0, 1);

const thresholds: Rule<MetricsSettings['thresholds']> = (value, option) =>
  readOptions<Partial<Record<keyof Thresholds, number>>>(
    option,
    value as object,
    {
      errorRate: share,
      staleRate: share,
      fallbackRate: share,
      p95: positiveDuration,
      deadLetters: integer(1),
      queueAge: positiveDuration,
      quota: share,
    },
    {},
  );

export function readMetrics(options: MetricsOptions): MetricsSettings {
  const settings = readOptions<MetricsSettings>(
    'metrics',
    options,
    {
      windows: list(positiveDuration),
      series: integer(1),
      minimum: integer(1),
      thresholds,
      onAlarm: ofType('function'),
      health: ofType('function'),
      host: ofType('object'),
    },
    {
      windows: [60_000, 300_000],
      series: 50,
      minimum: 10,
      thresholds: {},
      onAlarm: undefined,
      health: undefined,
      host: {},
    },
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
