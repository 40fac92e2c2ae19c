import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { Miniflare } from 'miniflare';
import { bun, deno } from '../../../tools/runtimes/installed.ts';

export interface Server {
  readonly url: string;
  close(): Promise<unknown>;
}

export const servers = [
  { name: 'workerd', missing: undefined, start: startWorkerd },
  {
    name: 'Deno.serve',
    missing: deno ? undefined : 'no Deno',
    start: (upstream: string) => startProcess(deno, ['run', '-A', '--v8-flags=--expose-gc', SERVE, upstream]),
  },
  {
    name: 'Bun.serve',
    missing: bun ? undefined : 'no Bun',
    start: (upstream: string) => startProcess(bun, [SERVE, upstream]),
  },
];

const SERVE = fileURLToPath(new URL('serve.ts', import.meta.url));

async function startProcess(program = '', args: readonly string[] = []): Promise<Server> {
  // A group of its own: npm's command is a process that starts the program as another one.
  const started = spawn(program, args, { detached: true, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = once(started, 'exit').then(([code]) => Promise.reject(new Error(`it ended with ${code}`)));
  ended.catch(() => {});
  const [port] = await Promise.race([once(createInterface(started.stdout), 'line'), ended]);
  return { url: `http://127.0.0.1:${port}`, close: () => end(started) };
}

function end(started: ChildProcess): Promise<unknown> {
  const ended = once(started, 'exit');
  process.kill(-(started.pid as number), 'SIGKILL');
  return ended;
}

async function startWorkerd(upstream: string): Promise<Server> {
  const { outputFiles } = await build({
    entryPoints: [fileURLToPath(new URL('worker.ts', import.meta.url))],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    conditions: ['workerd', 'worker', 'browser'],
    write: false,
  });
  const miniflare = new Miniflare({
    host: '127.0.0.1',
    port: 0,
    cf: false,
    modules: true,
    script: outputFiles.map(({ text }) => text).join(''),
    compatibilityDate: '2026-07-01',
    bindings: { UPSTREAM: upstream },
  });
  const url = await miniflare.ready;
  return { url: url.origin, close: () => miniflare.dispose() };
}
