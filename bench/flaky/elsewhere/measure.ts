import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { launch } from '../../../tools/runtimes/browsers.ts';
import { chromium, deno, firefox } from '../../../tools/runtimes/installed.ts';
import { type Figures, figuresOf } from '../figures.ts';
import { rows } from '../rows/all.ts';
import { type Row, titleOf } from '../rows/row.ts';
import type { Tally } from '../run-world.ts';
import { type Control, startControl } from './control.ts';
import { contestants, type One } from './one.ts';

const TITLES = [
  'flaky origin: 30 % resets, 1 at once',
  'flaky origin: 30 % resets, 5 at once',
  'flaky origin: 30 % 503, 5 at once',
  'flaky origin: 10 % hangs, 5 at once',
  'flaky origin: 20 % truncated bodies, 5 at once',
  'blips: all connections refused: 1 s, 10 calls at once',
  'everyday: calls to the healthy endpoint: another always responds 500, two callers',
];

/** The rows of the short form. */
export const shortRows: readonly Row[] = rows.filter((row) => TITLES.includes(titleOf(row)));

const installed = { deno, chromium, firefox, workerd: 'from npm' };

export type RuntimeName = keyof typeof installed;

export const runtimes = Object.keys(installed) as RuntimeName[];

/** Whether the runtime is on this machine. */
export const has = (runtime: RuntimeName): boolean => installed[runtime] !== undefined;

const PAGE = new URL('page.ts', import.meta.url);
const WORKER = new URL('worker.ts', import.meta.url);

/** Longer than any runtime takes. */
const LIMIT = 300_000;

/** The short form in another runtime. By the title of the row and the name of the contestant. */
export async function measureIn(
  runtime: RuntimeName,
  rows: readonly Row[],
  { calls, seed }: { calls: number; seed: number },
): Promise<Record<string, Record<string, Figures>>> {
  const isWorker = runtime === 'workerd';
  const script = await bundled(isWorker ? WORKER : PAGE);
  const control = await startControl(script);
  try {
    const ones = rows.flatMap((row) =>
      Array.from({ length: Math.min(Math.ceil(calls / row.calls), row.worlds ?? 20, 20) }, (_, world) =>
        contestants.map(({ name }) => ({
          title: titleOf(row),
          contestant: name,
          seed: seed * 1000 + world,
          control: control.url,
        })),
      ).flat(),
    );
    control.assign(ones);
    const tallies = await (isWorker ? inWorker(script, ones) : inPage(runtime, control));
    return figuresOf(tallies.map((tally, index) => ({ ...(ones[index] as One), ...tally })));
  } finally {
    await control.close();
  }
}

async function inPage(runtime: Exclude<RuntimeName, 'workerd'>, control: Control): Promise<Tally[]> {
  const late = wait(LIMIT, undefined, { ref: false }).then(() => {
    throw new Error(`${runtime} reported nothing for ${LIMIT / 1000} s`);
  });
  const running = runtime === 'deno' ? inDeno(control.url) : await launch[runtime]();
  try {
    await running.open(control.url);
    return await Promise.race([control.result, late]);
  } finally {
    await running.close();
  }
}

const inDeno = (location: string) => {
  const args = ['run', '--allow-net', '--quiet', `--location=${location}`, `${location}/script.js`];
  const child = spawn(deno ?? 'deno', args, { stdio: ['ignore', 'inherit', 'inherit'] });
  const ended = once(child, 'exit');
  return {
    open: async (): Promise<void> => {},
    async close() {
      child.kill();
      await ended;
    },
  };
};

async function inWorker(script: string, ones: readonly One[]): Promise<Tally[]> {
  const miniflare = new Miniflare({ modules: true, script, compatibilityDate: '2026-07-01', cf: false });
  try {
    const url = await miniflare.ready;
    const tallies: Tally[] = [];
    let next = 0;
    const worker = async (): Promise<void> => {
      for (let index = next++; index < ones.length; index = next++) {
        const response = await fetch(url, { method: 'POST', body: JSON.stringify(ones[index]) });
        tallies[index] = (await response.json()) as Tally;
      }
    };
    await Promise.all(Array.from({ length: 6 }, worker));
    return tallies;
  } finally {
    await miniflare.dispose();
  }
}

async function bundled(entry: URL): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(entry)],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['browser'],
    define: { 'process.env.NODE_ENV': '"production"' },
    write: false,
    logLevel: 'error',
  });
  return outputFiles[0]?.text ?? '';
}
