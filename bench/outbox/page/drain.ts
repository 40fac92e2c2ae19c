import type { Rounds } from '../../cache/page/rounds.ts';
import type { Times } from '../../measure/race.ts';
import { shuffled } from '../../measure/random.ts';
import { type Filled, firstOf, inHoldfast, inWorkbox, raw, rawAnswered } from './drainers.ts';

/** Milliseconds an entry, by how many waited; not a number where nobody was asked. */
export interface Drain {
  readonly few: Times;
  readonly many: Times;
  /** Of the longest queue there is, only its first entries. */
  readonly longest: Times;
  /** Who had not sent all of it when the time was over, and was measured by what had been sent. */
  readonly stopped: readonly string[];
}

interface Asked {
  readonly few: number;
  readonly many: number;
  /** The name of the longest queue. */
  readonly long: string;
  /** So many ms may be spent on one queue. */
  readonly limit: number;
}

type Size = 'few' | 'many' | 'longest';

/** So long until what was written for it lies on the disk, in ms. */
const REST = 100;

/** After so many ms there is no further round, but for the least. */
const ENOUGH = 60_000;
const LEAST_ROUNDS = 3;

/** In rounds, like everything, but with one turn to warm up: each takes long enough for that. */
export async function drain({ few, many, long, limit }: Asked, { rounds, random }: Rounds): Promise<Drain> {
  const one = inHoldfast(1, limit);
  const drainers = [raw, rawAnswered, one, inHoldfast(4, limit), inWorkbox(few)];
  const stopped = new Set<string>();
  const drained = { few: timesOf(drainers), many: timesOf(drainers), longest: timesOf([one]) };
  const turns = drainers.map((drainer) => async () => {
    const { name } = drainer;
    const figures: Partial<Record<Size, number>> = {
      few: await timed(await drainer.filled(few), () => stopped.add(`${name}: ${few}`)),
      many: await timed(await drainer.filled(many), () => stopped.add(`${name}: ${many}`)),
      ...(drainer === one && { longest: await timed(await firstOf(long), () => {}) }),
    };
    return [name, figures] as const;
  });
  for (const drainer of drainers) await timed(await drainer.filled(few / 5), () => {});
  const start = performance.now();
  for (let round = 0; round < rounds; round++) {
    if (round >= LEAST_ROUNDS && performance.now() - start > ENOUGH) break;
    for (const turn of shuffled(turns, random)) {
      const [name, figures] = await turn();
      for (const [size, ms] of Object.entries(figures)) drained[size as Size][name]?.push(ms);
    }
  }
  return { ...drained, stopped: [...stopped] };
}

const timesOf = (named: readonly { readonly name: string }[]): Times =>
  Object.fromEntries(named.map(({ name }) => [name, []]));

async function timed(queue: Filled | undefined, stopped: () => void): Promise<number> {
  if (!queue) return Number.NaN;
  await new Promise((resolve) => setTimeout(resolve, REST));
  globalThis.gc?.({ type: 'minor' });
  const start = performance.now();
  const sent = await queue.drain();
  const spent = performance.now() - start;
  await queue.close();
  if (sent < queue.entries) stopped();
  return spent / sent;
}
