/**
 * Prints what a call costs through the library, the stale cache and the outbox in Chromium, and a Worker in workerd,
 * beside their peers, all in one run.
 *
 * `--quick` measures less (about 90 s), `--seed` gives another order, `--only` some of calls, memory (of calls), cache, outbox and
 * worker (`cache,outbox`) leaves out the others, `--json` prints figures for programs. `--check` fails where calls take more
 * memory than their budgets allow, or than what has been reached of them; times depend on the machine.
 */
import { parseArgs } from 'node:util';
import { limitOf } from './budgets.ts';
import { measureInChromium } from './cache/measure.ts';
import { cacheBudgets, cacheLines } from './cache/report.ts';
import { stub } from './contestants/floor.ts';
import { viaFetch, withDedupe } from './contestants/holdfast.ts';
import { measureInChild } from './measure/child.ts';
import type { Memory } from './measure/memory.ts';
import type { TimesOfAll } from './measure/time.ts';
import { measureOutbox } from './outbox/measure.ts';
import { outboxBudgets, outboxLines } from './outbox/report.ts';
import { type BudgetLine, budgetLines, budgetTable, memoryLines, resultLines, results } from './report.ts';
import { measureWorker } from './worker/measure.ts';
import { workerLines } from './worker/report.ts';

const { values: asked } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    check: { type: 'boolean' },
    json: { type: 'boolean' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const seed = Number(asked.seed);
const rounds = asked.quick ? 5 : 25;

const PARTS = ['calls', 'memory', 'cache', 'outbox', 'worker'];
const only = asked.only?.split(',');
const unknown = only?.find((part) => !PARTS.includes(part));
if (unknown !== undefined) throw new RangeError(`--only ${unknown}: expected ${PARTS.join(', ')}`);
const wants = (part: string): boolean => only?.includes(part) ?? true;

// `calls` measures memory, too.
const memory = only?.includes('memory') && !wants('calls') ? await measureTheMemory() : undefined;
const calls = wants('calls') ? await measureCalls() : undefined;
const cache = wants('cache') ? await measureCache() : undefined;
const outbox = wants('outbox') ? await measureTheOutbox() : undefined;
const worker = wants('worker') ? await measureTheWorker() : undefined;

const parts = [memory, calls, cache, outbox, worker].filter((part) => part !== undefined);
const budgets = parts.flatMap((part) => part.budgets);
if (asked.json) {
  const measured = calls?.measured;
  const inChromium = { cache: cache?.measured, outbox: outbox?.measured };
  console.log(JSON.stringify({ measured, ...inChromium, worker: worker?.measured, budgets }, undefined, 2));
} else {
  for (const { text } of parts) console.log(`${text}\n`);
  if (budgets.length > 0) console.log(budgetTable(budgets));
}
if (asked.check && budgets.some(isBroken)) process.exitCode = 1;

function isBroken(line: BudgetLine): boolean {
  return 'most' in line && ['KiB', 'bytes'].includes(line.unit) && line.measured > limitOf(line);
}

/** @param names Of the contestants; without any, all. */
async function measureMemory(...names: string[]): Promise<Memory> {
  return measureInChild<Memory>(
    new URL('./measure/memory.ts', import.meta.url),
    ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'],
    [...(asked.quick ? [3, 2_500] : [15, 10_000]), ...names],
  );
}

async function measureTheMemory() {
  const measured = await measureMemory(stub.name, viaFetch.name, withDedupe.name);
  return { measured, text: `Node ${process.versions.node}`, budgets: memoryLines(measured) };
}

async function measureCalls() {
  const calls = asked.quick ? 500 : 2000;
  const times = await measureInChild<TimesOfAll>(
    new URL('./measure/time.ts', import.meta.url),
    ['--expose-gc'],
    [calls, rounds, seed],
  );
  const memory = await measureMemory();
  const measured = results(times, memory);
  const text = `Node ${process.versions.node}; medians of ${rounds} rounds of ${calls} calls each

${resultLines(measured)}

× stub       the time of one call over that of the bare stub in the same round; p10 is the 10th percentile
+µs          what a call takes beyond the stub's ${measured.stub?.microseconds.toFixed(1)} µs
100 × stub   the same with 100 calls at once
+KiB, kept   allocated by a call beyond the stub's; bytes a call that are still there when all have settled
recovery     503, 503, 200 without delay, over what is written by hand
refusal      by an open circuit, over what is written by hand
`;
  return { measured, text, budgets: [...budgetLines(measured, times), ...memoryLines(memory)] };
}

async function measureCache() {
  const measured = await measureInChromium({ rounds, seed, many: asked.quick ? 1_000 : 10_000 });
  if (!measured)
    return { measured, text: 'There is no Chromium here: the stale cache was not measured.', budgets: [] };
  const text = `Chromium ${measured.version}; medians of ${rounds} rounds

${cacheLines(measured)}

× raw, ms    to the whole body as an ArrayBuffer, over raw IndexedDB in the same round; p10 is the 10th percentile
records, kB  read from and written to IndexedDB by one opening, 20 hits, 5 answers stored
`;
  return { measured, text, budgets: cacheBudgets(measured) };
}

async function measureTheOutbox() {
  const sizes = asked.quick
    ? { few: 500, many: 1_000, most: 10_000, limit: 20_000 }
    : { few: 1_000, many: 3_000, most: 100_000, limit: 60_000 };
  const measured = await measureOutbox({ rounds, seed, ...sizes });
  if (!measured)
    return { measured, text: 'There is no Chromium here: the outbox was not measured.', budgets: [] };
  const text = `Chromium ${measured.version}; medians of ${rounds} rounds, of draining ${measured.drain.few['raw IndexedDB']?.length}

${outboxLines(measured, { rounds, seed, ...sizes })}

of raw       its rate over that of raw IndexedDB in the same round: 2 is twice as quick; p10 and p90 are percentiles
             of that; at once, raw puts all of them in one transaction; draining, it reads and deletes 100 in one
enqueue      offline, of 1 kB of JSON, to the commit; holdfast's and raw's are strict
draining     an origin that answers at once; ${sizes.few} at most for workbox, which slows down with the queue
`;
  return { measured, text, budgets: outboxBudgets(measured) };
}

async function measureTheWorker() {
  const measured = await measureWorker({ rounds, seed });
  const text = `workerd; medians of ${rounds} rounds

${workerLines(measured)}

first answer from the start of workerd, a process each; beyond: the median of the differences in the same round
`;
  return { measured, text, budgets: [] };
}
