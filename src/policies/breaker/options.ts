import {
  between,
  count,
  duration,
  having,
  limit,
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
  /** Calls in a row that must fail to open the circuit; calls in flight together count once. Default 5. */
  readonly failures?: number;
  /** A call whose headers take longer is slow. Default `false`: none is. */
  readonly slowAfter?: Duration | false;
  /** Share of slow calls, from 0 to 1, among at least 10 within 30 s, that opens the circuit. Default 0.5. */
  readonly slowRate?: number;
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
  /** Requested (GET) instead of letting a call of the application be the probe; relative to the origin. Default: none. */
  readonly probe?: string;
  /** What has a circuit of its own for 408 and 5xx. Default: the origin and the path. */
  readonly key?: (request: Request, call: Call) => string;
  /** Shares circuits with other tabs or isolates: `betweenTabs()`, `betweenIsolates(binding)`. Default: none. */
  readonly share?: Sharing;
}

export interface Settings {
  failures: number;
  slowAfter: number;
  slowRate: number;
  openFor: number;
  maxOpenFor: number;
  maxWait: number;
  successes: number;
  probeTimeout: number;
  slowStart: boolean;
  probe: string | undefined;
  key: ((request: Request, call: Call) => string) | undefined;
  share: Sharing | undefined;
}

const defaults: Settings = {
  failures: 5,
  slowAfter: Infinity,
  slowRate: 0.5,
  openFor: 300,
  maxOpenFor: 4_000,
  maxWait: 5_000,
  successes: 1,
  probeTimeout: 4_000,
  slowStart: true,
  probe: undefined,
  key: undefined,
  share: undefined,
};

const rules: { [K in keyof Settings]: Rule<Settings[K]> } = {
  failures: count(1),
  slowAfter: limit,
  slowRate: between(0, 1),
  openFor: span,
  maxOpenFor: span,
  maxWait: duration,
  successes: count(1),
  probeTimeout: span,
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
  // An application that names only one of them means that one.
  if (options.maxOpenFor === undefined) return { ...settings, maxOpenFor: openFor };
  if (options.openFor === undefined) return { ...settings, openFor: maxOpenFor };
  throw new ConfigurationError(
    'breaker.maxOpenFor',
    options.maxOpenFor,
    `it is below openFor, ${openFor} ms`,
  );
}
