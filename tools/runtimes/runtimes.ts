import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { bun, chromium, deno, firefox, missingForWebkit } from './installed.ts';
import { fromJUnit, fromVitest, type Outcome } from './outcome.ts';
import {
  DENO_ONLY,
  DEVTOOLS,
  EXAMPLES,
  FAULTS,
  NODE_ONLY,
  OUTBOX,
  PACKAGE,
  PLAYGROUND,
  PORTABLE,
  RECIPES,
  TIMED,
  TOOLS,
  WORKERD_ONLY,
} from './suites.ts';

export interface Runtime {
  readonly name: string;
  /** Which files to run there, as patterns. */
  readonly include: readonly string[];
  readonly exclude: readonly string[];
  /** Runs these files and writes a report. */
  command(files: readonly string[], report: string): [program: string, ...args: string[]];
  read(report: string): Outcome;
  /** Why it cannot run here, if it cannot. */
  missing?(): string | undefined;
  /** Whether the servers that the tests talk to are to be started for it. Vitest starts its own. */
  readonly needsOrigins?: boolean;
  /** Whether it would be disturbed by another run beside it. */
  readonly alone?: boolean;
  /** In milliseconds. */
  readonly timeLimit: number;
}

const MINUTE = 60_000;

/** In the order in which they are started: the slow ones first, so that none is left over at the end. */
export const runtimes: readonly Runtime[] = [
  { ...vitest('firefox'), missing: () => (firefox ? undefined : 'no Firefox') },
  { ...suite('playground', PLAYGROUND), timeLimit: 30 * MINUTE },
  { ...suite('faults', FAULTS), timeLimit: 30 * MINUTE },
  { ...vitest('webkit'), missing: missingForWebkit },
  { ...vitest('workerd'), exclude: [NODE_ONLY, DENO_ONLY] },
  { ...vitest('chromium'), missing: () => (chromium ? undefined : 'no Chromium') },
  {
    ...vitest('node'),
    include: [PORTABLE, `test/${NODE_ONLY}`],
    exclude: [PACKAGE, DENO_ONLY, WORKERD_ONLY],
  },
  suite('examples', EXAMPLES),
  {
    ...portable('deno'),
    exclude: [NODE_ONLY, WORKERD_ONLY],
    command: (files, report) => [
      deno ?? 'deno',
      'test',
      '--no-check',
      '--no-lock',
      '--import-map=tools/runtimes/deno/import-map.json',
      // No more than these: what the library can do without, it is not given.
      '--allow-net',
      '--allow-env',
      '--allow-read',
      // Its databases lie beside the report.
      `--allow-write=${dirname(report)}`,
      '--unstable-kv',
      `--junit-path=${report}`,
      ...files,
    ],
    missing: () => whyNot(deno),
  },
  suite('recipes', RECIPES),
  suite('devtools', DEVTOOLS),
  {
    ...portable('bun'),
    command: (files, report) => [
      bun ?? 'bun',
      'test',
      // A global of its own for each file, as everywhere else.
      '--isolate',
      '--timeout=60000',
      '--preload=./tools/runtimes/bun/preload.ts',
      '--reporter=junit',
      `--reporter-outfile=${report}`,
      // Without the dot these would be taken for parts of names.
      ...files.map((file) => `./${file}`),
    ],
    missing: () => whyNot(bun),
  },
  suite('package', PACKAGE),
  suite('tools', TOOLS),
  { ...suite('timed', TIMED), exclude: [], alone: true },
  // Kills and deletions hit it at the moments that the tests mean, and not wherever a busy machine has got to.
  { ...suite('outbox', OUTBOX), alone: true, timeLimit: 45 * MINUTE },
];

/** One that starts its own browsers and servers. */
function suite(name: string, include: string): Runtime {
  return { ...vitest(name), include: [include], exclude: [TIMED] };
}

function portable(name: string) {
  const include = [PORTABLE];
  const exclude = [NODE_ONLY, DENO_ONLY, WORKERD_ONLY];
  return { name, include, exclude, read: fromJUnit, needsOrigins: true, timeLimit: 30 * MINUTE };
}

function vitest(project: string): Runtime {
  return {
    ...portable(project),
    command: (files, report) => [
      process.execPath,
      'node_modules/vitest/vitest.mjs',
      'run',
      `--project=${project}`,
      `--project=${project} together`,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${report}`,
      ...files,
    ],
    read: fromVitest,
    needsOrigins: false,
  };
}

/** npm installs these as programs that fetch or unpack the real one, which not every machine lets them. */
function whyNot(program: string | undefined): string | undefined {
  if (!program) return 'not installed';
  const { status } = spawnSync(program, ['--version'], { stdio: 'ignore' });
  return status === 0 ? undefined : `${program} does not run`;
}
