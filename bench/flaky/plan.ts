import { type Row, titleOf } from './rows/row.ts';

/** One row and contestant, in so many worlds. Plain data. */
export interface Job {
  readonly title: string;
  readonly contestant: string;
  readonly worlds: number;
}

export interface Size {
  /** Calls of a row and contestant. */
  readonly calls: number;
  /** The most worlds of a row and contestant. */
  readonly worlds: number;
}

/** 1,000 calls: a share is good to ± 2 % (its standard error is at most 1.6 %). */
export const FULL: Size = { calls: 1000, worlds: 60 };
export const CHECK: Size = { calls: 500, worlds: 30 };
export const QUICK: Size = { calls: 250, worlds: 12 };

export function plan(rows: readonly Row[], contestants: readonly string[], size: Size): Job[] {
  return rows.flatMap((row) => {
    const wanted = Math.min(Math.ceil(size.calls / row.calls), row.worlds ?? size.worlds, size.worlds);
    return contestants.map((contestant) => ({ title: titleOf(row), contestant, worlds: wanted }));
  });
}

/** Deals the jobs to so many processes; all contestants of a row stay together, so that they share its conditions. */
export function deal(jobs: readonly Job[], processes: number): Job[][] {
  const titles = [...new Set(jobs.map(({ title }) => title))];
  return Array.from({ length: processes }, (_, index) =>
    jobs.filter(({ title }) => titles.indexOf(title) % processes === index),
  );
}
