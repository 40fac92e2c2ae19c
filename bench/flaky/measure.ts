import { fork } from 'node:child_process';
import { once } from 'node:events';
import type { TallyOf } from './figures.ts';
import { deal, type Job } from './plan.ts';
import type { Done, Work } from './run-jobs.ts';

export interface Measured {
  readonly tallies: readonly TallyOf[];
  /** How late the callers' event loops were in ms. */
  readonly lag: { readonly p99: number; readonly max: number };
}

/** @param processes How many share the jobs; one for each core. */
export async function measure(jobs: readonly Job[], seed: number, processes: number): Promise<Measured> {
  const done = await Promise.all(deal(jobs, processes).map((jobs) => inProcess({ jobs, seed })));
  const lag = (of: 'p99' | 'max') => Math.max(...done.map(({ lag }) => lag[of]));
  const tallies = done.flatMap(({ tallies }) => tallies);
  return { tallies, lag: { p99: lag('p99'), max: lag('max') } };
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
