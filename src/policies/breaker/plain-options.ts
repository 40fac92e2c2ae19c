import type { Call } from '../../core/contract.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import {
  duration,
  integer,
  ofType,
  positiveDuration,
  type Rule,
  readOptions,
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

export interface PlainSettings {
  failures: number;
  openFor: number;
  maxOpenFor: number;
  maxWait: number;
  successes: number;
  probeTimeout: number;
  slowStart: boolean;
  key: ((request: Request, call: Call) => string) | undefined;
}

export const plainDefaults: PlainSettings = {
  failures: 5,
  openFor: 300,
  maxOpenFor: 4_000,
  maxWait: 5_000,
  successes: 1,
  probeTimeout: 4_000,
  slowStart: true,
  key: undefined,
};

export const plainRules: { [K in keyof PlainSettings]: Rule<PlainSettings[K]> } = {
  failures: integer(1),
  openFor: positiveDuration,
  maxOpenFor: positiveDuration,
  maxWait: duration,
  successes: integer(1),
  probeTimeout: positiveDuration,
  slowStart: ofType('boolean'),
  key: ofType('function'),
};

const onlyInBreaker: Rule<undefined> = (value, option) => {
  const name = option.slice(option.indexOf('.') + 1);
  throw new ConfigurationError(option, value, `make it with breaker: breaker({ ${name}: … })`);
};

type BreakerOnly = Partial<Record<'slowAfter' | 'slowRate' | 'probe' | 'share', undefined>>;

const rules = {
  ...plainRules,
  slowAfter: onlyInBreaker,
  slowRate: onlyInBreaker,
  probe: onlyInBreaker,
  share: onlyInBreaker,
};

export const readPlainBreakerOptions = (options: PlainBreakerOptions): PlainSettings =>
  withIntervals(options, readOptions<PlainSettings & BreakerOnly>('breaker', options, rules, plainDefaults));

/** Settings in which no interval between two probes is longer than the longest. */
export function withIntervals<S extends PlainSettings>(options: PlainBreakerOptions, settings: S): S {
  const { openFor, maxOpenFor } = settings;
  if (openFor <= maxOpenFor) return settings;
  // An application that names only one of them means that one.
  if (options.maxOpenFor === undefined) return { ...settings, maxOpenFor: openFor };
  if (options.openFor === undefined) return { ...settings, openFor: maxOpenFor };
  throw new ConfigurationError(
    'breaker.maxOpenFor',
    options.maxOpenFor,
    `it is below openFor, ${openFor} ms`,
  );
}
