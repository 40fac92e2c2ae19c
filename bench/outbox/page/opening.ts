import { inRounds, type Rounds } from '../../cache/page/rounds.ts';
import type { Times } from '../../measure/race.ts';
import { Holdfast } from './holdfast.ts';
import { PAGE, RawPages } from './raw-pages.ts';

/** Milliseconds for a queue in which many wait. */
export interface Opening {
  /** To its first page, from before it was opened. */
  readonly page: Times;
  /** How many there are. */
  readonly counts: Times;
}

/** @param long The name of the queue. @param rawPages The raw database with as many. */
export function opening(long: string, rawPages: string, rounds: Rounds): Promise<Opening> {
  return inRounds(
    [
      ['raw IndexedDB', () => raw(rawPages)],
      ['holdfast', () => holdfast(long)],
    ],
    rounds,
  );
}

async function holdfast(name: string): Promise<Record<keyof Opening, number>> {
  const start = performance.now();
  const queue = new Holdfast(name);
  const entries = await queue.box.entries({ limit: PAGE });
  const listed = performance.now();
  const { count } = await queue.box.counts();
  const counted = performance.now();
  await queue.close();
  return figures(entries.length, count, [start, listed, counted]);
}

async function raw(name: string): Promise<Record<keyof Opening, number>> {
  const start = performance.now();
  const pages = await RawPages.open(name);
  const entries = await pages.first();
  const listed = performance.now();
  const count = await pages.count();
  const counted = performance.now();
  pages.close();
  return figures(entries.length, count, [start, listed, counted]);
}

function figures(
  entries: number,
  count: number,
  [start, listed, counted]: readonly [number, number, number],
): Record<keyof Opening, number> {
  if (entries !== PAGE || count < PAGE)
    throw new Error(`there are ${count} entries, and ${entries} in a page`);
  return { page: listed - start, counts: counted - listed };
}
