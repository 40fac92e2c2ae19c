import { quantile } from '../measure/statistics.ts';
import type { Tally } from './run-world.ts';

/** What a caller gets from one contestant in one row. */
export interface Figures {
  readonly calls: number;
  /** Share of the calls that succeeded, from 0 to 1. */
  readonly share: number;
  readonly requestsPerCall: number;
  readonly requestsPerSuccess: number;
  /** Time to success in ms. */
  readonly median: number;
  readonly p95: number;
}

export interface TallyOf extends Tally {
  readonly title: string;
  readonly contestant: string;
}

/** By the title of the row and the name of the contestant. */
export type AllFigures = Record<string, Record<string, Figures>>;

/** Adds up what belongs together. */
export function figuresOf(tallies: readonly TallyOf[]): AllFigures {
  const figures: AllFigures = {};
  for (const title of new Set(tallies.map((one) => one.title))) {
    const ofRow = tallies.filter((one) => one.title === title);
    const groups = Object.groupBy(ofRow, ({ contestant }) => contestant);
    figures[title] = Object.fromEntries(
      Object.entries(groups).map(([contestant, all = []]) => [contestant, figuresOfOne(all)]),
    );
  }
  return figures;
}

function figuresOfOne(all: readonly Tally[]): Figures {
  const sum = (of: 'calls' | 'requests'): number => all.reduce((total, one) => total + one[of], 0);
  const times = all.flatMap((one) => one.times);
  return {
    calls: sum('calls'),
    share: times.length / sum('calls'),
    requestsPerCall: sum('requests') / sum('calls'),
    requestsPerSuccess: sum('requests') / times.length,
    median: quantile(times, 0.5),
    p95: quantile(times, 0.95),
  };
}
