import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { bun, deno } from '../../../tools/runtimes/installed.ts';

const CUSTOMERS = fileURLToPath(new URL('customers.ts', import.meta.url));

/** A program that npm installs may start another process, which would not end with it. */
const programOf = (shim: string | undefined, evaluate: readonly string[]): string | undefined =>
  shim && execFileSync(shim, [...evaluate], { encoding: 'utf8' }).trim();

export interface ServerRuntime {
  readonly name: string;
  readonly isMissing: boolean;
  readonly command: () => readonly string[];
}

export const serverRuntimes: readonly ServerRuntime[] = [
  { name: 'Node', isMissing: false, command: () => [process.execPath, CUSTOMERS] },
  {
    name: 'Deno',
    isMissing: !deno && !process.env.CI,
    command: () => [
      programOf(deno, ['eval', 'console.log(Deno.execPath())']) as string,
      'run',
      '--no-prompt',
      '--no-lock',
      '--allow-all',
      CUSTOMERS,
    ],
  },
  {
    name: 'Bun',
    isMissing: !bun && !process.env.CI,
    command: () => [programOf(bun, ['-e', 'console.log(process.execPath)']) as string, CUSTOMERS],
  },
];

export interface Life {
  /** Ends it at once, if it has not ended. */
  kill(): Promise<void>;
  readonly ended: Promise<unknown>;
}

/** Starts a process of customers. @param onLine Called with each line of its output. */
export function live(
  [program = '', ...before]: readonly string[],
  args: readonly string[],
  onLine: (line: string) => void,
): Life {
  const started: ChildProcess = spawn(program, [...before, ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = createInterface(started.stdout as NodeJS.ReadableStream);
  lines.on('line', onLine);
  const ended = Promise.all([once(started, 'exit'), once(lines, 'close')]);
  return {
    ended,
    async kill() {
      if (started.exitCode === null && started.signalCode === null) started.kill('SIGKILL');
      await ended;
    },
  };
}
