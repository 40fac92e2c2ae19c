import {
  between,
  count,
  having,
  limit,
  oneOf,
  type Rule,
  readOptions,
  span,
  typed,
} from '../../core/check.ts';
import type { Call } from '../../core/contract.ts';
import type { Duration } from '../../core/durations.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { Sharing } from './sharing.ts';

export interface BreakerOptions {
  /**
   * Failures in a row that open the circuit. Default 5; where there are fewer than `minimum` calls to judge by, also
   * 2 that found no connection.
   */
  readonly failures?: number;
  /** Share of failures, from 0 to 1, that opens it. Default 0.5. */
  readonly rate?: number;
  /** How many calls a share must be of. Default 10. */
  readonly minimum?: number;
  /** How far back a share looks. Default 30 s. */
  readonly window?: Duration;
  /** A call whose headers take longer is slow. Default `false`: none is. */
  readonly slowAfter?: Duration | false;
  /** Share of slow calls, from 0 to 1, that opens it. Default 0.5. */
  readonly slowRate?: number;
  /** How long it first stays open, ± 20 %; doubled at each re-opening. Default 2 s. */
  readonly openFor?: Duration;
  /**
   * How long at most. Default 4 s: a fleet whose clients each have a breaker of their own is back 5 s after the origin is
   * (`npm run simulate`).
   */
  readonly maxOpenFor?: Duration;
  /** Probes that must succeed to close it. Default 2. */
  readonly successes?: number;
  /** When a probe that never answers gives its permit back. Default 4 s. */
  readonly probeTimeout?: Duration;
  /**
   * `'wait'`: a call waits for the answer of the probe, as long as its total time allows. Default `'refuse'`; also what is
   * done where calls may not wait for one another (Workers).
   */
  readonly whenOpen?: 'refuse' | 'wait';
  /**
   * After closing, calls are let through a few at a time, one more for each that succeeds, so that an origin which has
   * just come back is not knocked over. Default true.
   */
  readonly slowStart?: boolean;
  /** Asked (GET) instead of letting a user's call be the probe; relative to the origin. Default: none. */
  readonly probe?: string;
  /** What has a circuit of its own. Default: the call's origin. */
  readonly key?: (request: Request, call: Call) => string;
  /** Tells others and listens to them: `betweenTabs()`, `betweenIsolates(binding)`. Default: nobody. */
  readonly share?: Sharing;
}

export interface Settings {
  failures: number | undefined;
  rate: number;
  minimum: number;
  window: number;
  slowAfter: number;
  slowRate: number;
  openFor: number;
  maxOpenFor: number;
  successes: number;
  probeTimeout: number;
  whenOpen: 'refuse' | 'wait';
  slowStart: boolean;
  probe: string | undefined;
  key: ((request: Request, call: Call) => string) | undefined;
  share: Sharing | undefined;
}

const defaults: Settings = {
  failures: undefined,
  rate: 0.5,
  minimum: 10,
  window: 30_000,
  slowAfter: Infinity,
  slowRate: 0.5,
  openFor: 2_000,
  maxOpenFor: 4_000,
  successes: 2,
  probeTimeout: 4_000,
  whenOpen: 'refuse',
  slowStart: true,
  probe: undefined,
  key: undefined,
  share: undefined,
};

const share: Rule<number> = between(0, 1);

const rules: { [K in keyof Settings]: Rule<Settings[K]> } = {
  failures: count(1),
  rate: share,
  minimum: count(1),
  window: span,
  slowAfter: limit,
  slowRate: share,
  openFor: span,
  maxOpenFor: span,
  successes: count(1),
  probeTimeout: span,
  whenOpen: oneOf('refuse', 'wait'),
  slowStart: typed('boolean'),
  probe(value, option) {
    if (typeof value === 'string' && URL.canParse(value, 'https://a.example')) return value;
    throw new ConfigurationError(option, value, "expected a URL, such as '/health'");
  },
  key: typed('function'),
  share: having<Sharing>('what shares circuits, such as betweenTabs()', 'connect'),
};

export function readBreakerOptions(options: BreakerOptions): Settings {
  const settings = readOptions('breaker', options, rules, defaults);
  const { openFor, maxOpenFor } = settings;
  if (openFor <= maxOpenFor) return settings;
  // Who names only one of them wants that one.
  if (options.maxOpenFor === undefined) return { ...settings, maxOpenFor: openFor };
  if (options.openFor === undefined) return { ...settings, openFor: maxOpenFor };
  throw new ConfigurationError(
    'breaker.maxOpenFor',
    options.maxOpenFor,
    `it is below openFor, ${openFor} ms`,
  );
}
