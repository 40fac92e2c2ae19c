import type { Bursts, Fault } from '../origin/weather.ts';
import type { CallOptions, Goal, Row } from './row.ts';
import { callers, page } from './scripts.ts';

const percent = (rate: number): string => `${Math.round(rate * 100)} %`;

/** DESIGN: 99 % of the calls up to 30 % faults, 97 % up to 50 %; nine tenths of ky's requests. */
const goalOf = (rate: number): Goal => {
  const share = rate <= 0.3 ? 0.99 : rate <= 0.5 ? 0.97 : undefined;
  return { ...(share !== undefined && { share }), ofKy: 0.9 };
};

/** Named by their faults. */
const named: Record<string, readonly Fault[]> = {
  resets: ['reset'],
  '503': ['503'],
  '429, Retry-After: 1': ['429'],
  hangs: ['hang'],
  'truncated bodies': ['truncated'],
  'stalled bodies': ['stalled'],
  'resets, 503, truncated': ['reset', '503', 'truncated'],
};

const LIMIT = 1000;

function share(name: string, rates: readonly number[], counts: readonly number[]): Row[] {
  const faults = named[name] ?? [];
  const waits = faults.some((fault) => fault === 'hang' || fault === 'stalled');
  return rates.flatMap((rate) =>
    counts.map((count) => ({
      group: 'flaky origin',
      name: `${percent(rate)} ${name}, ${count} at once`,
      weather: { shares: [{ faults, rate }] },
      script: callers(count, each(count)),
      calls: count * each(count),
      goal: goalOf(rate),
      ...(waits && { limit: LIMIT }),
      brokenBodies: faults.some((fault) => fault === 'truncated' || fault === 'stalled'),
      lasts: each(count) * rate * (waits ? 1300 : 800),
    })),
  );
}

const each = (count: number): number => (count === 1 ? 25 : count === 5 ? 10 : 4);

const mixed: readonly Fault[] = ['reset', '503', 'truncated'];

const bursts = (name: string, faults: Bursts['faults'], counts: readonly number[]): Row[] =>
  counts.map((count) => ({
    group: 'bursts: bad for 1 s of 5',
    name: `${name}, ${count} at once`,
    weather: { bursts: { good: 4000, bad: 1000, faults, rate: 0.95 } },
    script: callers(count, 12, { think: 300 }),
    calls: count * 12,
    goal: { share: 0.99, ofKy: 0.9 },
    brokenBodies: faults.includes('truncated'),
    lasts: 8000,
  }));

function method(name: string, options: CallOptions, goal: Goal): Row {
  return {
    group: 'methods, five at once',
    name: `30 % resets, ${name}`,
    weather: { shares: [{ faults: ['reset'], rate: 0.3 }] },
    script: callers(5, 10, options),
    calls: 50,
    goal,
  };
}

const thinking = (fault: Fault, name: string): Row => ({
  group: 'one call a second',
  name: `30 % ${name}`,
  weather: { shares: [{ faults: [fault], rate: 0.3 }] },
  script: callers(1, 12, { think: 1000 }),
  calls: 12,
  goal: goalOf(0.3),
  lasts: 20_000,
});

const loaded = (name: string, faults: readonly Fault[]): Row => ({
  group: 'a page: 30 paths at once',
  name,
  weather: { shares: [{ faults, rate: 0.3 }] },
  script: page(30),
  calls: 30,
  goal: goalOf(0.3),
});

const cached = (name: string, row: Pick<Row, 'weather' | 'limit' | 'script' | 'calls'>): Row => ({
  group: 'with a cached response',
  name,
  ...row,
  cached: true,
  warm: row.calls,
  goal: { share: 1 },
});

export const flaky: readonly Row[] = [
  ...share('resets', [0.05, 0.1, 0.3, 0.5, 0.6], [1, 5]),
  ...share('resets', [0.1, 0.3, 0.5], [30]),
  ...share('503', [0.1, 0.3, 0.5, 0.6], [1, 5]),
  ...share('503', [0.3], [30]),
  ...share('429, Retry-After: 1', [0.1, 0.3], [1, 5]),
  ...share('hangs', [0.1, 0.3], [1, 5]),
  ...share('hangs', [0.5], [5]),
  ...share('hangs', [0.1], [30]),
  ...share('truncated bodies', [0.2, 0.5], [1, 5]),
  ...share('stalled bodies', [0.1], [1, 5]),
  ...share('resets, 503, truncated', [0.3], [1, 5]),
  ...bursts('resets', ['reset'], [1, 5, 30]),
  ...bursts('refusals', 'refuse', [1, 5]),
  ...bursts('503', ['503'], [5]),
  ...bursts('resets, 503, truncated', mixed, [1, 5]),
  method('PUT', { method: 'PUT' }, goalOf(0.3)),
  method('POST without a key', { method: 'POST' }, { share: 'native', requests: 1 }),
  method('POST with a key', { method: 'POST', key: true }, { share: 0.99 }),
  thinking('reset', 'resets'),
  thinking('503', '503'),
  loaded('30 % resets', ['reset']),
  loaded('30 % 503', ['503']),
  loaded('30 % resets, 503', ['reset', '503']),
  cached('50 % resets, 5 at once', {
    weather: { shares: [{ faults: ['reset'], rate: 0.5 }] },
    script: callers(5, 10),
    calls: 50,
  }),
  cached('30 % hangs, 5 at once', {
    weather: { shares: [{ faults: ['hang'], rate: 0.3 }] },
    script: callers(5, 10),
    calls: 50,
    limit: LIMIT,
  }),
  cached('refuses everything, 5 at once', {
    weather: { down: { from: 0, to: 60_000 } },
    script: callers(5, 6),
    calls: 30,
  }),
];
