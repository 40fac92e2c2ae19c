/** The thread of the origins, so that they do not wait for the callers. */
import { parentPort, workerData } from 'node:worker_threads';
import { type Origin, openOrigin } from './origin.ts';
import type { Weather } from './weather.ts';

export type Asked =
  | { readonly id: number; readonly open: Weather; readonly seed: number }
  | { readonly id: number; readonly start: string }
  | { readonly id: number; readonly close: string };

export interface Answered {
  readonly id: number;
  readonly url?: string;
}

const { net } = workerData as { net: string };
const origins = new Map<string, Origin>();
let opened = 0;

parentPort?.on('message', async (asked: Asked) => {
  const url = await answer(asked);
  parentPort?.postMessage({ id: asked.id, ...(url !== undefined && { url }) } satisfies Answered);
});

async function answer(asked: Asked): Promise<string | undefined> {
  if ('open' in asked) {
    const origin = await openOrigin(hostOf(opened++), asked.open, asked.seed);
    origins.set(origin.url, origin);
    return origin.url;
  }
  if ('start' in asked) await origins.get(asked.start)?.start();
  else {
    origins.get(asked.close)?.close();
    origins.delete(asked.close);
  }
  return undefined;
}

/** Addresses of their own, so that no other server takes the port of one that does not listen for a while. */
function hostOf(number: number): string {
  if (process.platform !== 'linux') return '127.0.0.1';
  return `127.${net}.${1 + (number % 250)}`;
}
