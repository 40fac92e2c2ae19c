import { fork } from 'node:child_process';
import { once } from 'node:events';
import { quantile } from '../measure/statistics.ts';
import { deal, type Job } from './plan.ts';
import type { Done, Work } from './run-jobs.ts';

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

export interface Measured {
  /** By the title of the row and the name of the contestant. */
  readonly figures: Readonly<Record<string, Readonly<Record<string, Figures>>>>;
  /** How late the callers' event loops were in ms. */
  readonly lag: { readonly p99: number; readonly max: number };
}

/** @param processes How many share the jobs; one for each core. */
export async function measure(jobs: readonly Job[], seed: number, processes: number): Promise<Measured> {
  const done = await Promise.all(deal(jobs, processes).map((jobs) => inProcess({ jobs, seed })));
  const figures: Record<string, Record<string, Figures>> = {};
  for (const { title, contestant, calls, requests, times } of done.flatMap(({ tallies }) => tallies)) {
    figures[title] ??= {};
    figures[title][contestant] = {
      calls,
      share: times.length / calls,
      requestsPerCall: requests / calls,
      requestsPerSuccess: requests / times.length,
      median: quantile(times, 0.5),
      p95: quantile(times, 0.95),
    };
  }
  const lag = (of: 'p99' | 'max') => Math.max(...done.map(({ lag }) => lag[of]));
  return { figures, lag: { p99: lag('p99'), max: lag('max') } };
}

async function inProcess(work: Work): Promise<Done> {
  const child = fork(new URL('run-jobs.ts', import.meta.url), { serialization: 'advanced' });
  child.send(work);
  const ended = once(child, 'exit');
  const done = await Promise.race([once(child, 'message'), ended]);
  await ended;
  if (typeof done[0] !== 'object') throw new Error(`A process of the benchmark ended with ${done[0]}`);
  return done[0] as Done;
}
