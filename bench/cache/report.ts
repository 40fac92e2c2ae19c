import { cache as budgets } from '../budgets.ts';
import type { Times } from '../measure/race.ts';
import { median, paired, quantile } from '../measure/statistics.ts';
import { type BudgetLine, held } from '../report.ts';
import { table } from '../table.ts';
import type { Growth, Work } from './page/growth.ts';
import type { CacheMeasured } from './page/main.ts';
import type { Traffic } from './page/traffic.ts';

const RAW = 'raw IndexedDB';

const NAMES: Record<Work, string> = {
  opening: 'opening, to the first hit',
  lookup: 'a hit',
  storing: 'an answer stored, another evicted',
};

const WORK = Object.keys(NAMES) as Work[];

export function cacheLines({ hits, misses, growth }: CacheMeasured): string {
  return [hitLines(hits), missLines(misses), growthLines(growth)].join('\n\n');
}

export function cacheBudgets({ hits, growth }: CacheMeasured): BudgetLine[] {
  const hit = hits[10_000] ?? {};
  return [
    held(budgets.hit, median(paired(hit, 'holdfast', RAW))),
    held(budgets.hot, median(paired(hit, 'holdfast, hot', 'Map'))),
    ...WORK.map((work) => held(budgets[work], median(paired(growth.times[work], 'many', 'few')))),
    held(budgets.traffic, Math.max(...WORK.map((work) => trafficRatio(growth.traffic[work])))),
  ];
}

function hitLines(hits: CacheMeasured['hits']): string {
  const sizes = Object.values(hits);
  return table(
    ['a hit', ...Object.keys(hits).flatMap((bytes) => [`× raw, ${Number(bytes) / 1_000} kB`, 'p10', 'ms'])],
    Object.keys(sizes[0] ?? {}).map((name) => [name, ...sizes.flatMap((times) => over(times, name, RAW))]),
  );
}

function missLines({ first, whole }: CacheMeasured['misses']): string {
  return table(
    ['a miss of 1 MB', '× fetch, first chunk', 'p10', 'ms', '× fetch, whole', 'p10', 'ms'],
    Object.keys(first).map((name) => [name, ...over(first, name, 'fetch'), ...over(whole, name, 'fetch')]),
  );
}

function growthLines({ few, many, times, traffic }: Growth): string {
  return table(
    [`among ${many} responses`, `× ${few}`, 'p10', 'ms', 'records', `of ${few}`, 'kB', `of ${few}`],
    WORK.map((work) => {
      const of = traffic[work];
      return [
        NAMES[work],
        ...over(times[work], 'many', 'few'),
        ...[of.many?.records, of.few?.records].map(String),
        ...[of.many?.bytes, of.few?.bytes].map((bytes = 0) => (bytes / 1_000).toFixed(1)),
      ];
    }),
  );
}

/** Ratio, its 10th percentile, milliseconds. */
const over = (times: Times, name: string, base: string): string[] => {
  const ratios = paired(times, name, base);
  return [median(ratios), quantile(ratios, 0.1), median(times[name] ?? [])].map((figure) =>
    figure.toFixed(2),
  );
};

const trafficRatio = ({ few, many }: Record<string, Traffic>): number =>
  few && many ? Math.max(many.records / few.records, many.bytes / few.bytes) : Number.NaN;
