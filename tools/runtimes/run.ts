/**
 * Runs every test in every runtime, or what the command line asks for, and adds it all up. With `--soak` only
 * what takes too long for that: 200 kills, 10,000 random pipelines.
 */
import { parseArgs } from 'node:util';
import { addUp, nothing, type Outcome } from './outcome.ts';
import { filesFor, runIn } from './run-in.ts';
import { type Runtime, runtimes } from './runtimes.ts';

const { values, positionals: filters } = parseArgs({
  options: { only: { type: 'string' }, soak: { type: 'boolean' } },
  allowPositionals: true,
});
if (values.soak) process.env.HOLDFAST_SOAK = '1';
const chosen = values.only === undefined ? runtimes : values.only.split(',').map(named);
const width = Math.max(...chosen.map(({ name }) => name.length));

// Two at a time keep a small machine busy. More would make each other late, and some tests wait for a real second.
const together = await inTurn(
  2,
  chosen.filter(({ alone }) => !alone),
);
const apart = await inTurn(
  1,
  chosen.filter(({ alone }) => alone),
);

const { passed, failed, failures, durations } = addUp([...together, ...apart]);
const slowest = durations.toSorted((a, b) => b.seconds - a.seconds).slice(0, 10);
if (slowest.length > 0)
  console.log(
    `\nSlowest:\n${slowest.map(({ name, seconds }) => `  ${seconds.toFixed(1)} s  ${name}`).join('\n')}`,
  );
if (passed + failed === 0) console.error(`\nNo test was run: nothing matches ${filters.join(' ')}`);
// Once more at the end: the output of a suite may be long.
if (failures.length > 0) console.log(`\nFailed:\n${failures.map((each) => `  ${each}`).join('\n')}`);
if (passed === 0 || failed > 0) process.exitCode = 1;
console.log(`\n${passed} passed, ${failed} failed`);

function named(name: string): Runtime {
  const found = runtimes.find((runtime) => runtime.name === name);
  if (found) return found;
  console.error(`There is no ${name}, but ${runtimes.map(({ name }) => name).join(', ')}`);
  process.exit(2);
}

async function inTurn(atOnce: number, waiting: readonly Runtime[]): Promise<Outcome[]> {
  const queue = waiting.values();
  const outcomes: Outcome[] = [];
  const work = async () => {
    for (const runtime of queue) outcomes.push(await report(runtime));
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  return outcomes;
}

/** Says how it went: in one line, and at length where something is wrong. */
async function report(runtime: Runtime): Promise<Outcome> {
  const files = filesFor(runtime, filters);
  if (files.length === 0 && (process.env.HOLDFAST_SOAK || filters.length > 0)) return nothing;
  const label = runtime.name.padEnd(width);
  const missing = runtime.missing?.();
  if (missing) {
    console.log(`${label}  missing: ${missing}`);
    // Where a test run has to vouch for all of them, one that did not take part is a failure.
    return process.env.CI ? { ...nothing, failed: 1, failures: [`${runtime.name} is missing`] } : nothing;
  }
  const since = performance.now();
  const { outcome, output, problem } = await runIn(runtime, files);
  const { passed, failed, skipped } = outcome;
  if (failed > 0) console.log(`\n${output.trim()}\n`);
  const counts = `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`;
  const took = ((performance.now() - since) / 1000).toFixed(1);
  console.log(`${label}  ${counts} (${took} s)${problem ? `: ${problem}` : ''}`);
  return {
    ...outcome,
    failures: outcome.failures.map((failure) => `${runtime.name}  ${failure}`),
    durations: outcome.durations.map((each) => ({ ...each, name: `${runtime.name}  ${each.name}` })),
  };
}
