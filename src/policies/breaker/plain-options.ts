import type { Call } from '../../core/contract.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import {
  duration,
  integer,
  ofType,
  positiveDuration,
  readSettings,
  type SettingsOf,
  settingsTable,
} from '../../primitives/validate.ts';

/** The options that a client takes as they are. The others belong to a value: `breaker: breaker({ … })`. */
export interface PlainBreakerOptions {
  /** Calls in a row that must fail to open the circuit; calls in flight together count once. Default 5. */
  readonly failures?: number;
  /** How long the circuit stays open before each of the first two probes; then doubled. Up to a fifth less, by chance. Default 300 ms. */
  readonly openFor?: Duration;
  /** How long at most between two probes. Default 4 s: less than calls wait. */
  readonly maxOpenFor?: Duration;
  /** How long a call waits for the origin to respond to a probe, within its total time. Default 5 s; 0: it is rejected at once. */
  readonly maxWait?: Duration;
  /** Probes that must succeed to close the circuit. Default 1. */
  readonly successes?: number;
  /** When a probe that never ends gives its permit back. Default 4 s. */
  readonly probeTimeout?: Duration;
  /**
   * After closing, calls are let through a few at a time, one more for each that succeeds, so that an origin which has
   * just come back is not overloaded. Default true.
   */
  readonly slowStart?: boolean;
  /** What has a circuit of its own for 408 and 5xx. Default: the origin and the path. */
  readonly key?: (request: Request, call: Call) => string;
}

export const plainTable = /* @__PURE__ */ settingsTable({
  failures: [5, integer(1)],
  /** Absent: 300 ms, or `maxOpenFor` if that is less. */
  openFor: [undefined, positiveDuration],
  /** Absent: 4 s, or `openFor` if that is more. */
  maxOpenFor: [undefined, positiveDuration],
  maxWait: [5_000, duration],
  successes: [1, integer(1)],
  probeTimeout: [4_000, positiveDuration],
  slowStart: [true, ofType<boolean>('boolean')],
  key: [undefined, ofType<PlainBreakerOptions['key']>('function')],
});

export type PlainSettings = ReturnType<typeof readPlainBreakerOptions>;

/** What only `breaker({ … })` can do. */
const RARE = ['slowAfter', 'slowRate', 'probe', 'share'];

export function readPlainBreakerOptions(options: PlainBreakerOptions) {
  const name = RARE.find((rare) => Object.hasOwn(Object(options), rare));
  if (name !== undefined)
    throw new ConfigurationError(
      `breaker.${name}`,
      Object(options)[name],
      `make it with breaker: breaker({ ${name}: … })`,
    );
  return withIntervals(options, readSettings('breaker', plainTable, options));
}

/** Settings in which no interval between two probes is longer than the longest. */
export function withIntervals<S extends SettingsOf<typeof plainTable>>(
  given: PlainBreakerOptions,
  settings: S,
) {
  const openFor = settings.openFor ?? Math.min(300, settings.maxOpenFor ?? 300);
  const maxOpenFor = settings.maxOpenFor ?? Math.max(4_000, openFor);
  if (openFor <= maxOpenFor) return { ...settings, openFor, maxOpenFor };
  throw new ConfigurationError('breaker.maxOpenFor', given.maxOpenFor, `it is below openFor, ${openFor} ms`);
}
