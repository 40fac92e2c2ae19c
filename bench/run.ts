/**
 * Prints what a call costs through the library, beside its peers, all in one run.
 *
 * `--quick` measures less (about 15 s), `--seed` gives another order, `--json` prints figures for programs.
 */
import { parseArgs } from 'node:util';
import { measureInChild } from './measure/child.ts';
import type { Memory } from './measure/memory.ts';
import type { TimesOfAll } from './measure/time.ts';
import { budgetLines, resultLines, results } from './report.ts';
import { table } from './table.ts';

const { values: asked } = parseArgs({
  options: { quick: { type: 'boolean' }, json: { type: 'boolean' }, seed: { type: 'string', default: '1' } },
});
const calls = asked.quick ? 500 : 2000;
const rounds = asked.quick ? 5 : 25;

const times = await measureInChild<TimesOfAll>(
  new URL('./measure/time.ts', import.meta.url),
  ['--expose-gc'],
  [calls, rounds, Number(asked.seed)],
);
const memory = await measureInChild<Memory>(
  new URL('./measure/memory.ts', import.meta.url),
  ['--expose-gc', '--min-semi-space-size=256', '--max-semi-space-size=256'],
  asked.quick ? [3, 2_500] : [15, 10_000],
);

const measured = results(times, memory);
const budgets = budgetLines(measured, times);
if (asked.json) console.log(JSON.stringify({ measured, budgets }, undefined, 2));
else {
  console.log(`Node ${process.versions.node}; medians of ${rounds} rounds of ${calls} calls each\n`);
  console.log(resultLines(measured));
  console.log(`
× stub       the time of one call over that of the bare stub in the same round; p10 is the 10th percentile
+µs          what a call takes beyond the stub's ${measured.stub?.microseconds.toFixed(1)} µs
100 × stub   the same with 100 calls at once
+KiB, kept   allocated by a call beyond the stub's; bytes a call that are still there when all have settled
recovery     503, 503, 200 without delay, over what is written by hand
refusal      by an open circuit, over what is written by hand
`);
  console.log(
    table(
      ['budget', 'at most', 'measured', ''],
      budgets.map(({ what, most, measured, holds, unit }) => [
        what,
        `${most} ${unit}`,
        `${measured.toFixed(2)} ${unit}`,
        holds ? 'holds' : 'does not hold',
      ]),
    ),
  );
}
