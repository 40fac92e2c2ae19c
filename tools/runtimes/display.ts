import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import type { Readable } from 'node:stream';
import { xvfb } from './installed.ts';

export interface Display {
  /** What a program needs in its environment in order to show itself there. */
  readonly env: Readonly<Record<string, string>>;
  close(): void;
}

/** The display of this machine or, if it has none, a virtual one. */
export async function openDisplay(): Promise<Display> {
  if (process.env.DISPLAY ?? process.env.WAYLAND_DISPLAY) return { env: {}, close() {} };
  if (!xvfb) throw new Error('There is no display here, and no Xvfb to make one');
  // With -displayfd the server looks for a free number itself and writes it to that descriptor once it can be used.
  const server = spawn(xvfb, ['-displayfd', '3', '-screen', '0', '1280x800x24', '-nolisten', 'tcp'], {
    stdio: ['ignore', 'ignore', 'ignore', 'pipe'],
  });
  const number = await firstLine(server);
  return { env: { DISPLAY: `:${number}` }, close: () => server.kill() };
}

async function firstLine(server: ChildProcess): Promise<string> {
  const output = server.stdio[3] as Readable;
  const ended = once(server, 'exit').then(([code]) => Promise.reject(new Error(`Xvfb ended with ${code}`)));
  // Once the line is there, this rejection has no listener.
  ended.catch(() => {});
  const [chunk] = await Promise.race([once(output, 'data'), ended]);
  return String(chunk).trim();
}
