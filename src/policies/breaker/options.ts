import type { Duration } from '../../primitives/units.ts';
import {
  between,
  durationOrFalse,
  readSettings,
  rule,
  settingsTable,
  withMethods,
} from '../../primitives/validate.ts';
import { type PlainBreakerOptions, plainTable, withIntervals } from './plain-options.ts';
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

const table = /* @__PURE__ */ settingsTable({
  ...plainTable,
  slowAfter: [Infinity, durationOrFalse],
  slowRate: [0.5, between(0, 1)],
  probe: [
    undefined,
    rule<string>(
      "a URL, such as '/health'",
      (value) => typeof value === 'string' && URL.canParse(value, 'https://a.example'),
    ),
  ],
  share: [undefined, withMethods<Sharing>('what shares circuits, such as betweenTabs()', 'connect')],
});

export const readBreakerOptions = (options: BreakerOptions) =>
  withIntervals(options, readSettings('breaker', table, options));
