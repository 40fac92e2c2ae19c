/** Runs in a process of its own and prints what it has measured. */
import { contestants } from '../contestants/all.ts';
import type { Contestant, Transport, Use } from '../contestants/contestant.ts';
import { answering, recovering, unreachable } from '../contestants/transports.ts';
import { race, type Times, url } from './race.ts';
import { seeded } from './random.ts';

export interface TimesOfAll {
  readonly singly: Times;
  readonly together: Times;
  readonly recovery: Times;
  readonly refusal: Times;
}

type Setup = ((transport: Transport) => Use) | undefined;

const [calls = 0, rounds = 0, seed = 0] = process.argv.slice(2).map(Number);
const common = { rounds, random: seeded(seed) };

const succeeding = uses(
  ({ call }) => call,
  () => answering,
);
const repeating = uses(({ repeating }) => repeating, recovering);
const breaking = uses(
  ({ breaking }) => breaking,
  () => unreachable,
);

const measured: TimesOfAll = {
  singly: await race(succeeding, { ...common, calls, atOnce: 1 }),
  together: await race(succeeding, { ...common, calls, atOnce: 100 }),
  // Some wait for a timer even where there is no delay; with so many at once the waiting is not what is measured.
  recovery: await race(repeating, { ...common, calls: calls / 2, atOnce: 500 }),
  refusal: await race(await opened(breaking), { ...common, calls, atOnce: 1 }),
};
process.stdout.write(JSON.stringify(measured), () => process.exit());

function uses(setup: (contestant: Contestant) => Setup, transport: () => Transport): [string, Use][] {
  return contestants.flatMap((contestant) => {
    const use = setup(contestant)?.(transport());
    return use ? [[contestant.name, use] as [string, Use]] : [];
  });
}

/** Calls until the circuits have had enough; after that a call counts only if it is refused. */
async function opened(all: readonly [string, Use][]): Promise<[string, Use][]> {
  const opened: [string, Use][] = [];
  for (const [name, use] of all) {
    for (let call = 0; call < 10; call++) await use(url(0)).catch(() => {});
    const error = await use(url(0)).catch((error) => error);
    if (!/open/i.test(String(error))) throw new Error(`the circuit of ${name} is not open: ${error}`);
    opened.push([name, (url) => use(url).catch(() => {})]);
  }
  return opened;
}
