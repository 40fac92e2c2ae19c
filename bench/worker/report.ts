import { median, of, quantile } from '../measure/statistics.ts';
import { table } from '../table.ts';
import type { WorkerMeasured } from './measure.ts';

const BARE = 'without the library';

export function workerLines({ cold, size }: WorkerMeasured): string {
  const bare = of(cold, BARE);
  return table(
    [
      'the Worker of the playground',
      'kB min',
      'gzip',
      'brotli',
      'first answer, ms',
      'p10',
      'p90',
      'beyond, ms',
    ],
    Object.entries(cold).map(([name, times]) => {
      const beyond = median(times.map((time, round) => time - (bare[round] ?? Number.NaN)));
      const { minified, gzip, brotli } = of(size, name);
      return [
        name,
        ...[minified, gzip, brotli].map((bytes) => (bytes / 1000).toFixed(1)),
        ...[0.5, 0.1, 0.9].map((part) => quantile(times, part).toFixed(0)),
        name === BARE ? '' : beyond.toFixed(1),
      ];
    }),
  );
}
