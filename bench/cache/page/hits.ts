import type { Times } from '../../measure/race.ts';
import { kept } from '../answer.ts';
import {
  type Bytes,
  inBrowser,
  inCacheAPI,
  inHoldfast,
  inKeyval,
  inMap,
  type Keeper,
  rawBlob,
  rawBytes,
} from './keepers.ts';
import { inRounds, type Rounds, timedFor } from './rounds.ts';

/** By the size of the body in bytes: milliseconds from the call to the whole body. */
export type Hits = Record<number, Times>;

const SIZES = [1_000, 10_000, 1_000_000];

/** Different bodies, so that nobody is given the one that it has just had. */
const BODIES = 10;

export async function hits(rounds: Rounds): Promise<Hits> {
  const keepers: readonly Keeper[] = [
    await rawBytes(),
    await rawBlob(),
    inHoldfast('holdfast', false),
    inHoldfast('holdfast, hot', '50MB'),
    inMap(),
    inKeyval(),
    await inCacheAPI(),
    inBrowser,
  ];
  const measured: Hits = {};
  for (const size of SIZES) {
    const turns = [];
    for (const keeper of keepers) {
      await fill(keeper, size);
      turns.push([keeper.name, () => turn(keeper, size)] as const);
    }
    measured[size] = (await inRounds(turns, rounds)).hit;
  }
  return measured;
}

async function fill(keeper: Keeper, size: number): Promise<void> {
  for (let number = 0; number < BODIES; number++) await keeper.keep(address(size, number), noise(size));
}

/** What no database makes smaller. */
function noise(size: number): Bytes {
  const bytes = new Uint8Array(size);
  // It gives no more at once.
  for (let at = 0; at < size; at += 65_536) crypto.getRandomValues(bytes.subarray(at, at + 65_536));
  return bytes;
}

async function turn(keeper: Keeper, size: number): Promise<{ hit: number }> {
  const hit = await timedFor({ ms: 20, uses: BODIES }, async (number) => {
    const { byteLength } = await keeper.hit(address(size, number % BODIES));
    if (byteLength !== size) throw new Error(`${keeper.name} gave ${byteLength} bytes of ${size}`);
  });
  return { hit };
}

const address = (size: number, number: number): string => new URL(kept(size, number), location.href).href;
