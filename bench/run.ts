/**
 * Prints what a call costs through the library, and the stale cache in Chromium, beside their peers, all in one run.
 *
 * `--quick` measures less (about 45 s), `--seed` gives another order, `--only calls` or `--only cache` leaves out the
 * other, `--json` prints figures for programs.
 */
import { parseArgs } from 'node:util';
import { measureInChromium } from './cache/measure.ts';
import { cacheBudgets, cacheLines } from './cache/report.ts';
import { measureInChild } from './measure/child.ts';
import type { Memory } from './measure/memory.ts';
import type { TimesOfAll } from './measure/time.ts';
import { budgetLines, budgetTable, resultLines, results } from './report.ts';

const { values: asked } = parseArgs({
  options: {
    quick: { type: 'boolean' },
    json: { type: 'boolean' },
    only: { type: 'string' },
    seed: { type: 'string', default: '1' },
  },
});
const seed = Number(asked.seed);
const rounds = asked.quick ? 5 : 25;

const calls = asked.only === 'cache' ? undefined : await measureCalls();
const cache = asked.only === 'calls' ? undefined : await measureCache();

const parts = [calls, cache].filter((part) => part !== undefined);
const budgets = parts.flatMap((part) => part.budgets);
if (asked.json) {
  const measured = calls?.measured;
  console.log(JSON.stringify({ measured, cache: cache?.measured, budgets }, undefined, 2));
} else {
  for (const { text } of parts) console.log(`${text}\n`);
  if (budgets.length > 0) console.log(budgetTable(budgets));
}

async function measureCalls() {
  const calls = asked.quick ? 500 : 2000;
  const times = await measureInChild<TimesOfAll>(
    new URL('./measure/time.ts', import.meta.url),
    ['--expose-gc'],
    [calls, rounds, seed],
  );
  const memory = await measureInChild<Memory>(
    new URL('./measure/memory.ts', import.meta.url),
    ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'],
    asked.quick ? [3, 2_500] : [15, 10_000],
  );
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
  return { measured, text, budgets: budgetLines(measured, times) };
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
