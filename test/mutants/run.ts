/**
 * Changes one thing at a time in a copy of the sources, and counts how often the tests of that file notice. Prints each change
 * that passed them.
 *
 * `--sample` how many of all changes, drawn by `--seed`; `--from` how many of these to leave out, which an earlier run has tried;
 * `--in` a folder or file of `src` (default: policies and stores); `--check` fails if fewer are noticed than before.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { availableParallelism, tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '../../src/testing.ts';
import { runCommand } from '../../tools/runtimes/command.ts';
import { type Mutant, mutantsOf } from './mutate.ts';

/** The least share of changes that the tests notice, in percent. Most of the others change nothing that can be seen. */
const REACHED = 75;

/** Where the tests of a store run that needs more than Node has. */
const ELSEWHERE: Readonly<Record<string, string>> = {
  indexeddb: 'chromium',
  'web-cache': 'chromium',
  'workers-kv': 'workerd',
  'deno-kv': 'deno',
};

/** A change may make a test wait for ever, which counts as noticed; in ms, of a test and of all. */
const TEST_LIMIT = 20_000;
const TIME_LIMIT = 180_000;

const { values: asked } = parseArgs({
  options: {
    sample: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
    from: { type: 'string', default: '0' },
    in: { type: 'string', default: 'src/policies,src/stores' },
    check: { type: 'boolean' },
  },
});

const whole = drawn(asked.in.split(',').flatMap(all), Number(asked.sample), Number(asked.seed));
const sample = whole.slice(Number(asked.from));
if (sample.length === 0)
  throw new RangeError(
    `--sample ${asked.sample}, --from ${asked.from}, --in ${asked.in}: there is nothing to change`,
  );
const waiting = sample.values();
/** Commands that pass while nothing is changed. */
const sound = new Map<string, Promise<boolean>>();
let tried = 0;
let noticed = 0;
// A test run keeps most of a core busy.
await Promise.all(Array.from({ length: availableParallelism() + 1 }, work));
const share = (100 * noticed) / sample.length;
console.log(`\n${noticed} of ${sample.length} changes were noticed: ${share.toFixed(1)} %`);
if (asked.check && share < REACHED) process.exitCode = 1;

/** Tries one change after the other, in a copy of the sources. */
async function work(): Promise<void> {
  const root = mkdtempSync(join(tmpdir(), 'holdfast-mutants-'));
  try {
    copyTo(root);
    for (const mutant of waiting) {
      const passed = await survives(mutant, root);
      tried++;
      if (!passed) noticed++;
      const { file, line, before, after } = mutant;
      const what = `${file}:${line}  ${before.replaceAll(/\s+/g, ' ').slice(0, 80)}  →  ${after}`;
      if (passed) console.log(`passed the tests  ${what}`);
      if (tried % 20 === 0) console.log(`${noticed} of ${tried} noticed`);
    }
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}

function listed(...under: string[]): string[] {
  const { stdout } = spawnSync('git', ['ls-files', '-z', ...under], { encoding: 'utf8' });
  return stdout.split('\0').filter((file) => file !== '' && existsSync(file));
}

function all(under: string): Mutant[] {
  return listed(under)
    .filter((file) => file.endsWith('.ts'))
    .flatMap((file) => mutantsOf(file, readFileSync(file, 'utf8')));
}

function drawn(from: Mutant[], count: number, seed: number): Mutant[] {
  const random = seeded(seed);
  const left = [...from];
  return Array.from(
    { length: Math.min(count, from.length) },
    () => left.splice(Math.floor(random() * left.length), 1)[0] as Mutant,
  );
}

function copyTo(folder: string): void {
  for (const file of listed()) cpSync(file, join(folder, file));
  symlinkSync(resolve('node_modules'), join(folder, 'node_modules'));
}

async function survives({ file, start, end, after }: Mutant, root: string): Promise<boolean> {
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  for (const command of commandsFor(file)) {
    const name = command.join(' ');
    const known = sound.get(name) ?? passes(command, root);
    sound.set(name, known);
    // Else every change would count as noticed.
    if (!(await known)) throw new Error(`${name} fails without a change, too`);
    writeFileSync(path, text.slice(0, start) + after + text.slice(end));
    const passed = await passes(command, root);
    writeFileSync(path, text);
    if (!passed) return false;
  }
  return true;
}

/**
 * First the tests that mirror the file: of a policy, or of the folder. Only if they pass, those of the whole, without the ones that
 * measure memory.
 */
function commandsFor(file: string): string[][] {
  const [, folder, feature = ''] = file.split('/');
  const name = feature.replace(/\.ts$/, '');
  const runtime = folder === 'stores' ? ELSEWHERE[name] : undefined;
  const mirror = folder === 'policies' ? `test/policies/${name}` : `test/${folder}`;
  const [apart, together] = ['--project=node', '--project=node together'];
  return [
    inNode(apart, together, mirror),
    ...(runtime === undefined ? [] : [['tools/runtimes/run.ts', '--only', runtime, `test/stores/${name}`]]),
    inNode(together, 'test/contracts', 'test/client', 'test/core', 'test/adapters'),
    inNode(apart, 'test/contracts', 'test/adapters'),
  ];
}

function inNode(...projectsAndFilters: string[]): string[] {
  const options = ['--bail=1', '--maxWorkers=1', `--testTimeout=${TEST_LIMIT}`];
  return ['node_modules/vitest/vitest.mjs', 'run', ...options, ...projectsAndFilters];
}

async function passes(command: readonly string[], cwd: string): Promise<boolean> {
  const { problem } = await runCommand([process.execPath, ...command], { cwd, timeLimit: TIME_LIMIT });
  return problem === undefined;
}
