import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { deno } from '../../tools/runtimes/installed.ts';

export interface RunningServer {
  /** Of its orders. */
  readonly url: string;
  /** Ends it as Ctrl+C does, or at once. @returns the code with which it ended, if it could. */
  stop(signal?: 'SIGTERM' | 'SIGKILL'): Promise<number | null>;
}

export interface RunOptions {
  readonly upstream: string;
  /** Default 0: any that is free. */
  readonly port?: number;
  /** The file of its database. */
  readonly database: string;
  /** Where `holdfast` is: an import map, or `undefined` where it is installed beside the server. */
  readonly imports?: string | undefined;
  /** Default: the one beside this file. */
  readonly server?: string;
}

const at = (path: string): string => fileURLToPath(new URL(path, import.meta.url));

/** The library from its source: what is changed in it shows at the next start. */
export const FROM_SOURCE = at('import-map.json');

/** With no more permissions than it needs. */
export function startDenoServer({
  upstream,
  port = 0,
  database,
  server = at('server.ts'),
  ...more
}: RunOptions): Promise<RunningServer> {
  const imports = 'imports' in more ? more.imports : FROM_SOURCE;
  return startDeno([
    'run',
    '--no-prompt',
    '--no-lock',
    ...(imports === undefined ? [] : [`--import-map=${imports}`]),
    '--unstable-kv',
    '--unstable-cron',
    `--allow-net=127.0.0.1:${port},${new URL(upstream).host}`,
    `--allow-read=${database}`,
    `--allow-write=${database}`,
    server,
    upstream,
    `${port}`,
    database,
  ]);
}

/** Runs a server that prints its URL as its first line. */
export async function startDeno(
  args: readonly string[],
  { cwd, env }: { readonly cwd?: string; readonly env?: Readonly<Record<string, string>> } = {},
): Promise<RunningServer> {
  const started = spawn(program(), args, {
    stdio: ['ignore', 'pipe', 'inherit'],
    ...(cwd !== undefined && { cwd }),
    env: { ...process.env, ...env },
  });
  const ended = once(started, 'exit');
  const [url] = await Promise.race([once(createInterface(started.stdout), 'line'), ended]);
  if (typeof url !== 'string') throw new Error(`The server ended with ${url} before it had begun`);
  return {
    url,
    async stop(signal = 'SIGTERM') {
      started.kill(signal);
      const [code] = await ended;
      return code;
    },
  };
}

let found: string | undefined;

/** What npm installs starts another process, which would not hear of its end. */
function program(): string {
  found ??= execFileSync(deno ?? 'deno', ['eval', 'console.log(Deno.execPath())'], {
    encoding: 'utf8',
  }).trim();
  return found;
}
