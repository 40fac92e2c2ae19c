/** Runs in a process of its own, with so large a nursery that nothing is collected while it measures. */
import { contestants } from '../contestants/all.ts';
import type { Use } from '../contestants/contestant.ts';
import { answering, silent } from '../contestants/transports.ts';
import { url } from './race.ts';
import { median } from './statistics.ts';

/** Bytes a call. */
export type Memory = Record<string, { allocated: number; kept: number }>;

const [repetitions = 0, settling = 0] = process.argv.slice(2, 4).map(Number);
const names = process.argv.slice(4);
const wanted = contestants.filter(({ name }) => names.length === 0 || names.includes(name));
const BATCH = 500;

const measured: Memory = {};
for (const { name, call } of wanted) {
  // Where no object of a kind is left, engines drop the code that they have compiled for it: one call stays under way.
  call(silent)(url(0)).catch(() => {});
  const use = call(answering);
  // Until everything is compiled: code that is not allocates more.
  await calls(use, settling);
  measured[name] = { allocated: await allocated(use), kept: await kept(use) };
}
process.stdout.write(JSON.stringify(measured), () => process.exit());

async function allocated(use: Use): Promise<number> {
  const all: number[] = [];
  for (let repetition = 0; repetition < repetitions; repetition++) {
    await collected();
    const before = inUse();
    await calls(use, BATCH);
    all.push((inUse() - before) / BATCH);
  }
  return median(all);
}

/** What is still there when all calls have settled: the least of three, as a call that keeps something does so each time. */
async function kept(use: Use): Promise<number> {
  const all: number[] = [];
  for (let repetition = 0; repetition < 3; repetition++) {
    await collected();
    const before = inUse();
    await calls(use, settling);
    await collected();
    all.push((inUse() - before) / settling);
  }
  return Math.min(...all);
}

async function calls(use: Use, count: number): Promise<void> {
  for (let call = 0; call < count; call++) await use(url(0));
}

/** Finalizers run between collections and let go of more. */
async function collected(): Promise<void> {
  for (let time = 0; time < 2; time++) {
    globalThis.gc?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

function inUse(): number {
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}
