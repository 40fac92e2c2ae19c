/** Runs in a page, which is asked from outside. */
import { seeded } from '../../measure/random.ts';
import { type Growth, growth } from './growth.ts';
import { type Hits, hits } from './hits.ts';
import { type Misses, misses } from './misses.ts';

export interface Asked {
  readonly rounds: number;
  readonly seed: number;
  /** How many entries there are where there are many. */
  readonly many: number;
}

export interface CacheMeasured {
  readonly hits: Hits;
  readonly misses: Misses;
  readonly growth: Growth;
}

export async function run({ rounds, seed, many }: Asked): Promise<CacheMeasured> {
  const common = { rounds, random: seeded(seed) };
  return { hits: await hits(common), misses: await misses(common), growth: await growth(many, common) };
}
