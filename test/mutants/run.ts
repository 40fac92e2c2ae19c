/**
 * Changes one thing at a time in a copy of the sources, and counts how often the tests of that file notice. Prints each change
 * that passed them.
 *
 * `--sample` how many of all changes, drawn by `--seed`; `--in` a folder or file of `src` (default: policies and stores);
 * `--check` fails if fewer are noticed than before.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { seeded } from '../../src/testing.ts';
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

/** A change may make a test wait for ever, which counts as noticed. In ms. */
const TIME_LIMIT = 180_000;

const { values: asked } = parseArgs({
  options: {
    sample: { type: 'string', default: '400' },
    seed: { type: 'string', default: '1' },
    in: { type: 'string', default: 'src/policies,src/stores' },
    check: { type: 'boolean' },
  },
});

const root = mkdtempSync(join(tmpdir(), 'holdfast-mutants-'));
const sample = drawn(asked.in.split(',').flatMap(all), Number(asked.sample), Number(asked.seed));
/** Commands that pass while nothing is changed. */
const sound = new Set<string>();
let noticed = 0;
try {
  copyTo(root);
  for (const [index, mutant] of sample.entries()) {
    const passed = survives(mutant);
    if (!passed) noticed++;
    const { file, line, before, after } = mutant;
    const what = `${file}:${line}  ${before.replaceAll(/\s+/g, ' ').slice(0, 80)}  →  ${after}`;
    if (passed) console.log(`passed the tests  ${what}`);
    if ((index + 1) % 20 === 0) console.log(`${noticed} of ${index + 1} noticed`);
  }
} finally {
  rmSync(root, { recursive: true, force: true });
}
if (sample.length === 0)
  throw new RangeError(`--sample ${asked.sample}, --in ${asked.in}: there is nothing to change`);
const share = (100 * noticed) / sample.length;
console.log(`\n${noticed} of ${sample.length} changes were noticed: ${share.toFixed(1)} %`);
if (asked.check && share < REACHED) process.exitCode = 1;

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

function survives({ file, start, end, after }: Mutant): boolean {
  for (const command of commandsFor(file)) {
    const name = command.join(' ');
    // Else every change would count as noticed.
    if (!sound.has(name) && !passes(command)) throw new Error(`${name} fails without a change, too`);
    sound.add(name);
  }
  const path = join(root, file);
  const text = readFileSync(path, 'utf8');
  writeFileSync(path, text.slice(0, start) + after + text.slice(end));
  const passed = commandsFor(file).every(passes);
  writeFileSync(path, text);
  return passed;
}

/** First the tests that mirror the file: of a policy, or of the folder. Only if they pass, those of the whole. */
function commandsFor(file: string): string[][] {
  const [, folder, feature = ''] = file.split('/');
  const name = feature.replace(/\.ts$/, '');
  const runtime = folder === 'stores' ? ELSEWHERE[name] : undefined;
  return [
    inNode(folder === 'policies' ? `test/policies/${name}` : `test/${folder}`),
    ...(runtime === undefined ? [] : [['tools/runtimes/run.ts', '--only', runtime, `test/stores/${name}`]]),
    inNode('test/contracts', 'test/client', 'test/core', 'test/adapters'),
  ];
}

function inNode(...filters: string[]): string[] {
  const projects = ['--project=node', '--project=node together'];
  return ['node_modules/vitest/vitest.mjs', 'run', ...projects, '--bail=1', ...filters];
}

function passes(command: readonly string[]): boolean {
  const limits = { timeout: TIME_LIMIT, killSignal: 'SIGKILL' } as const;
  return spawnSync(process.execPath, command, { cwd: root, stdio: 'ignore', ...limits }).status === 0;
}
