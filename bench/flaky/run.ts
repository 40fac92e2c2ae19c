/**
 * Prints what the caller gets on a bad network, beside native fetch, ky, ffetch and cockatiel: `npm run flaky`.
 *
 * `--only resets` for the rows whose title has that, `--contestants ky,createFetch` for those, `--quick` for fewer calls,
 * `--seed 2` for other chance, `--json` for programs, `--write` for `docs/flaky.md`; `--check` measures holdfast, ky and
 * native fetch, and fails where holdfast serves its caller worse or sends more than ky.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { contestants } from './contestants/all.ts';
import { document } from './document.ts';
import { measure } from './measure.ts';
import { CHECK, FULL, plan, QUICK } from './plan.ts';
import { judged, mainTable, timesTable } from './report.ts';
import { rows } from './rows/all.ts';
import { titleOf } from './rows/row.ts';

const { values: asked } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    contestants: { type: 'string' },
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
  },
});

const chosen = rows.filter((row) => titleOf(row).includes(asked.only));
const compared = ['native', 'ky', 'createFetch', 'createClient'];
const named = asked.contestants?.split(',') ?? (asked.check ? compared : contestants.map(({ name }) => name));
const size = asked.quick ? QUICK : asked.check ? CHECK : FULL;

const started = performance.now();
const measured = await measure(plan(chosen, named, size), Number(asked.seed), Number(asked.processes));
const took = (performance.now() - started) / 1000;

const all = judged(chosen, measured);
const failed = all
  .filter(({ failures }) => failures.length > 0)
  .map(({ row, failures }) => `${titleOf(row)}: ${failures.join(', ')}`);
if (asked.json) console.log(JSON.stringify({ ...measured, failed, took }, undefined, 2));
else {
  console.log(`${mainTable(all, named)}\n\n${timesTable(all, named)}\n`);
  for (const failure of failed) console.log(`fails: ${failure}`);
  const { p99, max } = measured.lag;
  console.log(
    `\n${failed.length} of ${all.length} rows fail; ${took.toFixed(0)} s; the callers' event loops were ${p99.toFixed(0)} ms late (p99), ${max.toFixed(0)} ms at most`,
  );
}
if (asked.write)
  await writeFile(new URL('../../docs/flaky.md', import.meta.url), document(all, named, measured));
if (asked.check && failed.length > 0) process.exitCode = 1;
