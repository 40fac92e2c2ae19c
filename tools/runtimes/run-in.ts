import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runCommand } from './command.ts';
import { type Origins, startOrigins } from './origins.ts';
import { nothing, type Outcome } from './outcome.ts';
import type { Runtime } from './runtimes.ts';
import { EXTENT, ONLY_IN_SOAK } from './suites.ts';

export interface Run {
  readonly outcome: Outcome;
  readonly output: string;
  /** What went wrong beside the tests themselves; counted as a failure if nothing else is one. */
  readonly problem?: string;
}

/** Which of its files have a path that contains one of the filters; without any, all of `npm test`, or of `npm run soak`. */
export function filesFor({ include, exclude }: Runtime, filters: readonly string[]): string[] {
  const files = globSync(include, { exclude }).sort();
  if (filters.length > 0) return files.filter((file) => filters.some((part) => file.includes(part)));
  const onlyInSoak = new Set(globSync(ONLY_IN_SOAK));
  const isChosen = process.env.HOLDFAST_SOAK
    ? (file: string) => onlyInSoak.has(file) || readFileSync(file, 'utf8').includes(EXTENT)
    : (file: string) => !onlyInSoak.has(file);
  return files.filter(isChosen);
}

/** Runs the tests of these files in one runtime. */
export async function runIn(runtime: Runtime, files: readonly string[]): Promise<Run> {
  if (files.length === 0) return broken(nothing, 'there are no tests');
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-test-'));
  const origins: Origins | undefined = runtime.needsOrigins ? await startOrigins() : undefined;
  try {
    const report = join(folder, 'report');
    const command = runtime.command(files, report);
    const env = { NO_COLOR: '1', HOLDFAST_TEST_FOLDER: folder, ...origins?.env };
    const { output, problem } = await runCommand(command, {
      env,
      timeLimit: runtime.timeLimit * (process.env.HOLDFAST_SOAK ? 8 : 1),
    });
    const outcome = await readFile(report, 'utf8')
      .then(runtime.read)
      .catch(() => undefined);
    if (!outcome) return broken(nothing, problem ?? 'wrote no report', output);
    if (outcome.passed + outcome.failed === 0) return broken(outcome, problem ?? 'ran no test', output);
    // Tests that fail are reason enough to end with a code; without any, something outside them went wrong.
    if (problem && outcome.failed === 0) return broken(outcome, problem, output);
    return { outcome, output };
  } finally {
    await origins?.close();
    await rm(folder, { recursive: true, force: true });
  }
}

function broken(outcome: Outcome, problem: string, output = ''): Run {
  return { outcome: { ...outcome, failed: 1, failures: [problem] }, output, problem };
}
