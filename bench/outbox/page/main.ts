/** Runs in a page, which is asked from outside. */
import { seeded } from '../../measure/random.ts';
import { type Drain, drain } from './drain.ts';
import { type Enqueue, enqueue } from './enqueue.ts';
import { fill } from './filled.ts';
import { type Link, link } from './link.ts';
import { type Opening, opening } from './opening.ts';
import { RawPages } from './raw-pages.ts';
import { type Work, work } from './work.ts';

export interface Asked {
  readonly rounds: number;
  readonly seed: number;
  /** How many entries wait. */
  readonly few: number;
  readonly many: number;
  readonly most: number;
  /** So many ms may be spent on one queue that is drained. */
  readonly limit: number;
}

export interface OutboxMeasured {
  readonly enqueue: Enqueue;
  readonly drain: Drain;
  readonly opening: Opening;
  readonly work: Work;
  readonly link: Link;
}

/** Each round of draining takes as long as many others. */
const OF_DRAINING = 1 / 5;

const LONG = 'long';
const RAW = 'bench raw pages';

export async function run({ rounds, seed, most, ...drained }: Asked): Promise<OutboxMeasured> {
  const common = { rounds, random: seeded(seed) };
  const measured = {
    work: await work(),
    link: await link(drained.few),
    enqueue: await enqueue(common),
  };
  await fill(LONG, most);
  const pages = await RawPages.open(RAW);
  await pages.fill(most);
  pages.close();
  return {
    ...measured,
    opening: await opening(LONG, RAW, common),
    drain: await drain({ ...drained, long: LONG }, { ...common, rounds: Math.ceil(rounds * OF_DRAINING) }),
  };
}
