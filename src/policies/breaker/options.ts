import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import { between, durationOrFalse, type Rule, readOptions, withMethods } from '../../primitives/validate.ts';
import {
  type PlainBreakerOptions,
  type PlainSettings,
  plainDefaults,
  plainRules,
  withIntervals,
} from './plain-options.ts';
import type { Sharing } from './sharing.ts';

export interface BreakerOptions extends PlainBreakerOptions {
  /** A call whose headers take longer is slow. Default `false`: none is. */
  readonly slowAfter?: Duration | false;
  /** Share of slow calls, from 0 to 1, among at least 10 within 30 s, that opens the circuit. Default 0.5. */
  readonly slowRate?: number;
  /** Requested (GET) instead of letting a call of the application be the probe; relative to the origin. Default: none. */
  readonly probe?: string;
  /** Shares circuits with other tabs or isolates: `betweenTabs()`, `betweenIsolates(binding)`. Default: none. */
  readonly share?: Sharing;
}

export interface BreakerSettings extends PlainSettings {
  slowAfter: number;
  slowRate: number;
  probe: string | undefined;
  share: Sharing | undefined;
}

const defaults: BreakerSettings = {
  ...plainDefaults,
  slowAfter: Infinity,
  slowRate: 0.5,
  probe: undefined,
  share: undefined,
};

const rules: { [K in keyof BreakerSettings]: Rule<BreakerSettings[K]> } = {
  ...plainRules,
  slowAfter: durationOrFalse,
  slowRate: between(0, 1),
  probe(value, option) {
    if (typeof value === 'string' && URL.canParse(value, 'https://a.example')) return value;
    throw new ConfigurationError(option, value, "expected a URL, such as '/health'");
  },
  share: withMethods<Sharing>('what shares circuits, such as betweenTabs()', 'connect'),
};

export const readBreakerOptions = (options: BreakerOptions): BreakerSettings =>
  withIntervals(options, readOptions('breaker', options, rules, defaults));
