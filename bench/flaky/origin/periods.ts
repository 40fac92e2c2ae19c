import { draw } from './draw.ts';
import type { Bursts } from './weather.ts';

/** A time in which the network is bad, in ms from the start. */
export interface Period {
  readonly from: number;
  readonly to: number;
}

/** The bad periods of one world, up to `end` ms. */
export function badPeriods({ good, bad }: Bursts, seed: number, end = 120_000): Period[] {
  let number = 0;
  const next = (): number => draw(seed, 7, number++);
  const lasting = (mean: number): number => -mean * Math.log(1 - next());
  const periods: Period[] = [];
  let at = next() < bad / (good + bad) ? 0 : lasting(good);
  while (at < end) {
    const to = at + lasting(bad);
    periods.push({ from: at, to });
    at = to + lasting(good);
  }
  return periods;
}
