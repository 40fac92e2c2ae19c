/**
 * Prints what each policy is worth to a fleet whose one origin goes and comes back: `npm run simulate`.
 *
 * `--clients 10000` for a larger fleet, `--seed 2` for other chance, `--check` fails where the defaults break a budget.
 */
import { parseArgs } from 'node:util';
import type { Policy } from '../../src/core/contract.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import type { RetryOptions } from '../../src/policies/retry/options.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { type Outage, outage, type Report } from './outage.ts';

const { values: asked } = parseArgs({
  options: {
    clients: { type: 'string', default: '1000' },
    seed: { type: 'string', default: '1' },
    check: { type: 'boolean' },
  },
});

const DEFAULTS = 'defaults, each client its own breaker';
const SHARED = 'defaults, one breaker for all';
const shared = breaker();

/** Everything that fails is tried again. */
const always: RetryOptions = { budget: false, retryOnTimeout: true };

/** From nothing to the defaults, for a fleet that shares nothing and for one process. */
const fleets: [string, () => readonly Policy[]][] = [
  ['no retry', () => [totalTimeout(), attemptTimeout()]],
  [
    'as ky does by default',
    () => [retry({ jitter: 'none', budget: false, retryOnTimeout: false }), attemptTimeout()],
  ],
  [
    'exponential backoff, no jitter',
    () => [totalTimeout(), retry({ jitter: 'none', ...always }), attemptTimeout()],
  ],
  ['full jitter alone', () => [totalTimeout(), retry(always), attemptTimeout()]],
  ['with a budget', () => [totalTimeout(), retry({ ...always, budget: 10 }), attemptTimeout()]],
  ['and no retry after a time-out', () => [totalTimeout(), retry(), attemptTimeout()]],
  [DEFAULTS, () => [totalTimeout(), retry(), breaker(), attemptTimeout()]],
  [SHARED, () => [totalTimeout(), retry(), shared, attemptTimeout()]],
];

const budgets: Partial<Record<keyof Report, number>> = {
  perCall: 1.1,
  peak: 1.1,
  recovery: 5,
  wasted: 0.02,
};

const clients = Number(asked.clients);
console.log(`${clients} clients, 0.1 calls a second each; the origin is gone for 30 s; seed ${asked.seed}\n`);
console.log(
  'load  origin    policies                               requests/call  peak/capacity  99 % after  wasted  succeeded',
);
const broken: string[] = [];
for (const load of [0.7, 0.9])
  for (const how of ['refusing', 'hanging'] as const)
    for (const [name, policies] of fleets) {
      shared.reset();
      const settings: Outage = {
        clients,
        rate: 0.1,
        load,
        how,
        before: 30,
        gone: 30,
        after: 60,
        seed: Number(asked.seed),
      };
      const report = await outage(settings, policies);
      console.log(line(load, how, name, report));
      if (name === DEFAULTS || name === SHARED)
        for (const [what, most] of Object.entries(budgets))
          if (report[what as keyof Report] > most)
            broken.push(`${load} ${how}, ${name}: ${what} is over ${most}`);
    }
for (const what of broken) console.log(`\nover budget: ${what}`);
if (asked.check && broken.length > 0) process.exitCode = 1;

function line(load: number, how: string, name: string, report: Report): string {
  const { perCall, peak, recovery, wasted, succeeded } = report;
  return [
    String(load).padEnd(4),
    how.padEnd(8),
    name.padEnd(37),
    perCall.toFixed(2).padStart(14),
    peak.toFixed(2).padStart(13),
    (recovery === Infinity ? 'never' : `${recovery} s`).padStart(10),
    `${(wasted * 100).toFixed(1)} %`.padStart(6),
    `${(succeeded * 100).toFixed(1)} %`.padStart(9),
  ].join('  ');
}
