import type { Fault, OriginSettings } from './origin.ts';

/** One kind of bad network for one fleet at one rate. */
export interface Row extends OriginSettings {
  readonly name: string;
  readonly group: 'down' | 'blip' | 'flaky' | 'broken';
  /** Seconds of calls after the fault. */
  readonly after: number;
}

/** Endpoints that clients call; the last one has half of the calls. */
export const PATHS = ['/a', '/b', '/c', '/d'] as const;

const RATES = [0.1, 1];

/** Seconds before the fault: enough to fill the breaker's window. */
const BEFORE = 30;

/** All rows for a number of clients. */
export function rowsFor(clients: number, seed: number): Row[] {
  const row = (
    group: Row['group'],
    title: string,
    kind: Fault,
    times: Pick<Row, 'rate' | 'load' | 'before' | 'fault' | 'after'>,
  ): Row => ({
    name: `${title}, load ${times.load}, ${times.rate}/s`,
    group,
    kind,
    clients,
    seed,
    ...times,
  });
  const rows: Row[] = [];
  const both = (make: (rate: number) => Row): void => void rows.push(...RATES.map(make));

  for (const load of [0.7, 0.9])
    for (const [title, kind] of [
      ['refusing', 'refuse'],
      ['hanging', 'hang'],
      ['503', 503],
    ] as const)
      both((rate) =>
        row(
          'down',
          `down 30 s ${title}`,
          { kind, share: 1 },
          // At 1/s, half the time shows as much.
          { rate, load, before: BEFORE, fault: 30, after: rate < 1 ? 60 : 30 },
        ),
      );
  const load = 0.9;
  for (const seconds of [1, 3])
    both((rate) =>
      row(
        'blip',
        `blip ${seconds} s refusing`,
        { kind: 'refuse', share: 1 },
        { rate, load, before: BEFORE, fault: seconds, after: 20 },
      ),
    );
  const whole = (rate: number) => ({ rate, load, before: 0, fault: rate < 1 ? 120 : 30, after: 0 });
  for (const [title, kind] of [
    ['resets', 'refuse'],
    ['503', 503],
  ] as const)
    for (const share of [0.3, 0.5])
      both((rate) => row('flaky', `flaky ${share * 100} % ${title}`, { kind, share }, whole(rate)));
  both((rate) => row('broken', 'one endpoint broken', { kind: 500, share: 1, path: PATHS[3] }, whole(rate)));
  return rows;
}
