import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

export interface Write {
  readonly body: string;
  /** How often it was on the wire, how often it took effect, and when among the others. */
  readonly seen: number;
  readonly applied: number;
  readonly nth: number | null;
}

/** The misbehaving server in a process of its own, which can be killed and comes back as the same. */
export interface Origin {
  readonly port: number;
  readonly controlPort: number;
  kill(): Promise<void>;
  /** On the same ports, with the orders and the ledger of before. */
  start(): Promise<void>;
  ledger(): Promise<Write[]>;
  orders(): Promise<{ item: string }[]>;
  /** Behaves well, and forgets everything. */
  reset(): Promise<void>;
  close(): Promise<void>;
}

export async function startOrigin(): Promise<Origin> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-origin-'));
  let ports = ['0', '0'];
  let server: ChildProcess | undefined;

  async function start(): Promise<void> {
    const [port, controlPort] = ports;
    server = spawn(process.execPath, [
      'tools/misbehaving-server/main.ts',
      ...['--port', `${port}`, '--control-port', `${controlPort}`],
      ...['--state', join(folder, 'state')],
      // Chromium would repeat what it had sent over a used connection, and the ledger would count that.
      '--no-keep-alive',
    ]);
    ports = (await lines(server, 2)).map((url) => new URL(url).port);
  }

  async function kill(): Promise<void> {
    if (server && server.exitCode === null && server.signalCode === null) await end(server, 'SIGKILL');
  }

  const ask = async (path: string, method = 'GET') => {
    const port = path.startsWith('/control') ? ports[1] : ports[0];
    return (await fetch(`http://127.0.0.1:${port}${path}`, { method })).json();
  };

  await start();
  return {
    port: Number(ports[0]),
    controlPort: Number(ports[1]),
    kill,
    start,
    ledger: () => ask('/control/ledger'),
    orders: () => ask('/orders'),
    async reset() {
      await ask('/control/reset', 'POST');
    },
    async close() {
      await kill();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Playground {
  readonly url: string;
  /** Ends it as Ctrl+C does. @returns the code with which it ended. */
  close(): Promise<number | null>;
}

export async function startPlayground(...options: string[]): Promise<Playground> {
  const started = spawn(process.execPath, ['playground/start.ts', '--port', '0', ...options]);
  const [url = ''] = await lines(started, 1);
  return { url, close: () => end(started, 'SIGINT') };
}

/** What a process says first; what it complains of shows in the output of the tests. */
async function lines(started: ChildProcess, count: number): Promise<string[]> {
  if (!started.stdout) throw new Error('It has no output to read');
  started.stderr?.pipe(process.stderr);
  const said: string[] = [];
  for await (const line of createInterface(started.stdout)) if (said.push(line) === count) return said;
  throw new Error(`It ended after ${JSON.stringify(said)}`);
}

async function end(process: ChildProcess, signal: NodeJS.Signals): Promise<number | null> {
  const ended = once(process, 'exit');
  process.kill(signal);
  const [code] = await ended;
  return code;
}
