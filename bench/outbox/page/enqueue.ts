import { inRounds, type Rounds } from '../../cache/page/rounds.ts';
import type { Times } from '../../measure/race.ts';
import { median } from '../../measure/statistics.ts';
import { inHoldfast, inKeyval, inWorkbox, type Keeper, raw, rawListed, withIds } from './keepers.ts';

/** Milliseconds a write, from the call to the commit. */
export interface Enqueue {
  /** One after the other: medians of the rounds, which a disk that is busy for a moment does not change. */
  readonly singly: Times;
  /** The same ones, each by itself. */
  readonly each: Times;
  /** So many at once. */
  readonly burst: number;
  readonly together: Times;
}

const SINGLY = 20;
const BURST = 100;
const BURSTS = 2;

export async function enqueue(rounds: Rounds): Promise<Enqueue> {
  const keepers = [await raw(), await rawListed(), inHoldfast(), withIds(), inWorkbox(), inKeyval()];
  // Before the first that counts, all of them have opened their databases.
  for (const keeper of keepers) await repeated(SINGLY, () => keeper.take(1));
  const each: Times = Object.fromEntries(keepers.map(({ name }) => [name, []]));
  const turn = async ({ name, take }: Keeper) => {
    const singly = await repeated(SINGLY, () => take(1));
    const together = await repeated(BURSTS, () => take(BURST));
    each[name]?.push(...singly.map(({ committed }) => committed));
    return {
      committed: median(singly.map(({ committed }) => committed)),
      answered: median(singly.map(({ answered }) => answered)),
      allCommitted: median(together.map(({ committed }) => committed)) / BURST,
      allAnswered: median(together.map(({ answered }) => answered)) / BURST,
    };
  };
  const times = await inRounds(
    keepers.map((keeper) => [keeper.name, () => turn(keeper)] as const),
    rounds,
  );
  return {
    singly: withAnswers(times.committed, times.answered),
    each,
    burst: BURST,
    together: withAnswers(times.allCommitted, times.allAnswered),
  };
}

/** Whoever calls the library has to wait a little longer than for the commit. */
const withAnswers = (committed: Times, { holdfast = [] }: Times): Times => ({
  ...committed,
  'holdfast, to the 202': holdfast,
});

async function repeated<T>(times: number, run: () => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  while (results.length < times) results.push(await run());
  return results;
}
