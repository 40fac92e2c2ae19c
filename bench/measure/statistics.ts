import type { Times } from './race.ts';

/** The value below which a part of all values lies. */
export function quantile(values: readonly number[], part: number): number {
  const sorted = values.toSorted((one, other) => one - other);
  return sorted[Math.floor(part * (sorted.length - 1))] ?? Number.NaN;
}

export const median = (values: readonly number[]): number => quantile(values, 0.5);

/** How often a contestant takes the time of another, by round. */
export const paired = (times: Times, name: string, base: string): number[] =>
  of(times, name).map((time, round) => time / (of(times, base)[round] ?? Number.NaN));

/** What is known of a contestant. */
export function of<T>(all: Record<string, T>, name: string): T {
  const found = all[name];
  if (found === undefined) throw new Error(`${name} was not measured`);
  return found;
}
