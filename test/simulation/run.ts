import { parseArgs } from 'node:util';
import type { Policy } from '../../src/core/contract.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { retry } from '../../src/policies/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { outage } from './outage.ts';

const { values } = parseArgs({
  options: {
    clients: { type: 'string', default: '300' },
    seed: { type: 'string', default: '1' },
  },
});

const limits = (): Policy[] => [totalTimeout()];
const shared = breaker();

/** What each policy is worth: from nothing to the defaults, for a fleet that shares nothing and for one process. */
const fleets: [string, () => readonly Policy[]][] = [
  ['no retry', () => [...limits(), attemptTimeout()]],
  ['exponential, no jitter', () => [...limits(), retry({ jitter: 'none', budget: false }), attemptTimeout()]],
  ['full jitter alone', () => [...limits(), retry({ budget: false }), attemptTimeout()]],
  ['with budget', () => [...limits(), retry(), attemptTimeout()]],
  ['defaults, each client its own breaker', () => [...limits(), retry(), breaker(), attemptTimeout()]],
  ['defaults, one shared breaker', () => [...limits(), retry(), shared, attemptTimeout()]],
];

console.log(
  `${values.clients} clients, 0.1 calls a second each; the origin is gone for 30 s; seed ${values.seed}\n`,
);
console.log(
  'load  policies                               requests/call  peak/capacity  99 % after  succeeded',
);
for (const load of [0.7, 0.9])
  for (const [name, policies] of fleets) {
    shared.reset();
    const settings = { clients: Number(values.clients), rate: 0.1, load, before: 30, gone: 30, after: 60 };
    const { perCall, peak, recovery, succeeded } = await outage(
      { ...settings, seed: Number(values.seed) },
      policies,
    );
    console.log(
      [
        String(load).padEnd(4),
        name.padEnd(37),
        perCall.toFixed(2).padStart(14),
        peak.toFixed(2).padStart(14),
        (recovery === Infinity ? 'never' : `${recovery} s`).padStart(11),
        `${(succeeded * 100).toFixed(1)} %`.padStart(10),
      ].join('  '),
    );
  }
