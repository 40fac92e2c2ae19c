import { type ChildProcess, spawn } from 'node:child_process';

export interface Ended {
  /** What it wrote to its two outputs, in the order in which it came. */
  readonly output: string;
  /** Nothing when it ended well. */
  readonly problem?: string;
}

export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** Default: that of this process. */
  readonly cwd?: string;
  readonly timeLimit: number;
}

/** How long a program may take to close its browsers after a signal to end. */
const GRACE = 5000;

const running = new Set<ChildProcess>();

/** Runs a program to its end, or to the end of its time. Whatever it started goes with it. */
export function runCommand(
  [program, ...args]: readonly [string, ...string[]],
  options: CommandOptions,
): Promise<Ended> {
  const { env, cwd, timeLimit } = options;
  // A process group of its own, so that a signal reaches all of it, and nothing else.
  const child = spawn(program, args, {
    cwd,
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  });
  running.add(child);
  let output = '';
  let late = false;
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text;
    });
  }
  const timers = [
    setTimeout(() => {
      late = true;
      signalGroup(child, 'SIGTERM');
    }, timeLimit),
    setTimeout(() => signalGroup(child, 'SIGKILL'), timeLimit + GRACE),
  ];
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    // Anything left behind would keep the outputs open.
    child.once('exit', () => signalGroup(child, 'SIGKILL'));
    child.once('close', (code, signal) => {
      running.delete(child);
      for (const timer of timers) clearTimeout(timer);
      if (late) resolve({ output, problem: `had not ended after ${timeLimit / 1000} s` });
      else if (code === 0) resolve({ output });
      else resolve({ output, problem: `ended with ${signal ?? `code ${code}`}` });
    });
  });
}

function signalGroup({ pid }: ChildProcess, signal: NodeJS.Signals): void {
  try {
    if (pid !== undefined) process.kill(-pid, signal);
  } catch {
    // The whole group has ended.
  }
}

// Groups of their own do not hear of a Ctrl+C in the terminal.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    for (const child of running) signalGroup(child, 'SIGTERM');
    process.exit(1);
  });
}
