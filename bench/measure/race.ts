import type { Use } from '../contestants/contestant.ts';
import { shuffled } from './random.ts';

export interface Race {
  /** Of each contestant in each round. */
  readonly calls: number;
  readonly atOnce: number;
  readonly rounds: number;
  readonly random: () => number;
}

/** Microseconds a call, by contestant, one for each round; rounds are comparable, contestants within one more so. */
export type Times = Record<string, number[]>;

const WARM_UP = 3;

/**
 * Lets all contestants run in short rounds, each round in an order of its own, so that what disturbs the machine
 * disturbs all of them alike.
 */
export async function race(uses: readonly (readonly [string, Use])[], options: Race): Promise<Times> {
  const times: Times = Object.fromEntries(uses.map(([name]) => [name, []]));
  for (let round = -WARM_UP; round < options.rounds; round++)
    for (const [name, use] of shuffled(uses, options.random)) {
      const spent = await timed(use, options);
      if (round >= 0) times[name]?.push(spent);
    }
  return times;
}

async function timed(use: Use, { calls, atOnce }: Race): Promise<number> {
  await quiet();
  const start = performance.now();
  if (atOnce === 1) for (let call = 0; call < calls; call++) await use(url(0));
  else
    for (let call = 0; call < calls; call += atOnce)
      await Promise.all(Array.from({ length: atOnce }, (_, each) => use(url(each))));
  return ((performance.now() - start) * 1000) / calls;
}

/** Nobody pays for another's garbage, or for another's timers. */
async function quiet(): Promise<void> {
  globalThis.gc?.({ type: 'minor' });
  await new Promise((resolve) => setImmediate(resolve));
}

export const url = (number: number): string => `https://api.example.com/orders/${number}?x=2`;
