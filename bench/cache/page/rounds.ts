import type { Times } from '../../measure/race.ts';
import { shuffled } from '../../measure/random.ts';

export interface Rounds {
  readonly rounds: number;
  readonly random: () => number;
}

/** Milliseconds, by what was timed. */
type Timed<Figure extends string> = Record<Figure, number>;

const WARM_UP = 2;

/** As `race`, in a page: all contestants in each round, in an order of its own. */
export async function inRounds<Figure extends string>(
  contestants: readonly (readonly [name: string, turn: () => Promise<Timed<Figure>>])[],
  { rounds, random }: Rounds,
): Promise<Record<Figure, Times>> {
  const all: Partial<Record<Figure, Times>> = {};
  for (let round = -WARM_UP; round < rounds; round++)
    for (const [name, turn] of shuffled(contestants, random)) {
      await quiet();
      const timed = await turn();
      if (round < 0) continue;
      for (const figure in timed) {
        all[figure] ??= Object.fromEntries(contestants.map(([name]) => [name, []]));
        (all[figure] as Times)[name]?.push(timed[figure]);
      }
    }
  return all as Record<Figure, Times>;
}

/** Milliseconds that each of some uses took. */
export async function timed(uses: number, use: (number: number) => Promise<unknown>): Promise<number> {
  const start = performance.now();
  for (let number = 0; number < uses; number++) await use(number);
  return (performance.now() - start) / uses;
}

/** Milliseconds that a use took, of as many as fill a while: what is quick is timed over more of them. */
export async function timedFor(
  least: { readonly ms: number; readonly uses: number },
  use: (number: number) => Promise<unknown>,
): Promise<number> {
  const start = performance.now();
  for (let uses = 0; ; ) {
    await use(uses++);
    const spent = performance.now() - start;
    if (spent >= least.ms && uses >= least.uses) return spent / uses;
  }
}

/** Nobody pays for another's garbage, or for another's late work. */
async function quiet(): Promise<void> {
  globalThis.gc?.({ type: 'minor' });
  await new Promise((resolve) => setTimeout(resolve));
}
