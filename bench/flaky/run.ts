/**
 * Prints what the caller gets on a bad network, beside native fetch, ky, ffetch and cockatiel: `npm run flaky`.
 *
 * `--only resets` for the rows whose title has that, `--contestants ky,createFetch` for those, `--quick` for fewer calls,
 * `--seed 2` for other chance, `--json` for programs. `--runtime deno`, `chromium`, `firefox` or `workerd` for a short form
 * there. `--write` adds the short form of all runtimes and writes `docs/flaky.md`. `--check` measures holdfast, ky and native
 * fetch, and fails where holdfast serves its caller worse or sends more than ky; it measures a row that fails for longer.
 */
import { writeFile } from 'node:fs/promises';
import { parseArgs } from 'node:util';
import { contestants } from './contestants/all.ts';
import { document, type Section } from './document.ts';
import { has, measureIn, type RuntimeName, runtimes, shortRows } from './elsewhere/measure.ts';
import { contestants as ofRuntimes } from './elsewhere/one.ts';
import { figuresOf } from './figures.ts';
import { measure } from './measure.ts';
import { CHECK, FULL, plan, QUICK, type Size } from './plan.ts';
import { judged, mainTable, timesTable } from './report.ts';
import { rows } from './rows/all.ts';
import { type Row, titleOf } from './rows/row.ts';

const { values: asked } = parseArgs({
  options: {
    only: { type: 'string', default: '' },
    contestants: { type: 'string' },
    runtime: { type: 'string' },
    quick: { type: 'boolean', default: false },
    check: { type: 'boolean', default: false },
    write: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
    seed: { type: 'string', default: '1' },
    processes: { type: 'string', default: '2' },
  },
});
/** How often `--check` measures a failing row again, in other worlds. All of its calls count. */
const FURTHER = 2;

const seed = Number(asked.seed);
const size = asked.quick ? QUICK : asked.check ? CHECK : FULL;
const chosen = (all: readonly Row[]) => all.filter((row) => titleOf(row).includes(asked.only));

const failed = asked.runtime === undefined ? await inNode() : report(await elsewhere(asked.runtime));
if (asked.check && failed.length > 0) process.exitCode = 1;

async function inNode(): Promise<string[]> {
  const compared = ['native', 'ky', 'createFetch', 'createClient'];
  const names =
    asked.contestants?.split(',') ?? (asked.check ? compared : contestants.map(({ name }) => name));
  const started = performance.now();
  let { tallies, lag } = await measured(chosen(rows), names, size, seed);
  let all = judged(chosen(rows), figuresOf(tallies));
  // A few hundred calls leave chance more than the tolerance: what fails is counted with as many calls again, and again.
  for (let further = 1; asked.check && further <= FURTHER; further++) {
    const failing = all.filter(({ failures }) => failures.length > 0).map(({ row }) => row);
    if (failing.length === 0) break;
    const more = await measured(failing, names, FULL, seed + further);
    tallies = [...tallies, ...more.tallies];
    lag = { p99: Math.max(lag.p99, more.lag.p99), max: Math.max(lag.max, more.lag.max) };
    all = judged(chosen(rows), figuresOf(tallies));
  }
  const took = (performance.now() - started) / 1000;
  const section = { all, names };
  const failed = report(section, figuresOf(tallies));
  if (!asked.json) {
    const late = `${lag.p99.toFixed(0)} ms late (p99), ${lag.max.toFixed(0)} ms at most`;
    console.log(`${took.toFixed(0)} s; the callers' event loops were ${late}`);
  }
  if (asked.write) {
    const others = [];
    for (const runtime of runtimes.filter(has)) others.push({ runtime, ...(await elsewhere(runtime)) });
    await writeFile(new URL('../../docs/flaky.md', import.meta.url), document(section, lag, others));
  }
  return failed;
}

function measured(rows: readonly Row[], names: readonly string[], size: Size, seed: number) {
  return measure(plan(rows, names, size), seed, Number(asked.processes));
}

async function elsewhere(name: string): Promise<Section> {
  const runtime = runtimes.find((one): one is RuntimeName => one === name && has(one));
  if (!runtime) throw new Error(`--runtime: expected ${runtimes.filter(has).join(', ')}, got ${name}`);
  const figures = await measureIn(runtime, chosen(shortRows), { calls: size.calls * 0.4, seed });
  return { all: judged(chosen(shortRows), figures), names: ofRuntimes.map(({ name }) => name) };
}

/** Prints a table, and gives the rows that fail. */
function report({ all, names }: Section, figures?: unknown): string[] {
  const failed = all
    .filter(({ failures }) => failures.length > 0)
    .map(({ row, failures }) => `${titleOf(row)}: ${failures.join(', ')}`);
  if (asked.json) console.log(JSON.stringify({ figures: figures ?? all, failed }, undefined, 2));
  else {
    console.log(`${mainTable(all, names)}\n\n${timesTable(all, names)}\n`);
    for (const failure of failed) console.log(`fails: ${failure}`);
    console.log(`\n${failed.length} of ${all.length} rows fail`);
  }
  return failed;
}
