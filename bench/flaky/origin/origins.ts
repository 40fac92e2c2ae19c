import { Worker } from 'node:worker_threads';
import type { Answered, Asked } from './thread.ts';
import type { Weather } from './weather.ts';

/** An origin of one world. */
export interface World {
  readonly url: string;
  start(): Promise<void>;
  close(): Promise<void>;
}

export type OpenWorld = (weather: Weather, seed: number) => Promise<World>;

export interface Origins {
  readonly open: OpenWorld;
  /** How busy its thread was since the last call, from 0 to 1. */
  busy(): number;
  close(): Promise<unknown>;
}

type Question = Asked extends infer One ? (One extends Asked ? Omit<One, 'id'> : never) : never;

/** Starts a thread of origins. */
export function startOrigins(): Origins {
  const { pid } = process;
  const workerData = { net: `${1 + ((pid >> 8) & 127)}.${pid & 255}` };
  const thread = new Worker(new URL('thread.ts', import.meta.url), { workerData });
  const waiting = new Map<number, (answer: Answered) => void>();
  let id = 0;
  thread.on('message', (answer: Answered) => {
    waiting.get(answer.id)?.(answer);
    waiting.delete(answer.id);
  });
  const ask = (question: Question): Promise<Answered> =>
    new Promise((resolve) => {
      id++;
      waiting.set(id, resolve);
      thread.postMessage({ id, ...question });
    });
  return {
    async open(weather, seed) {
      const { url = '' } = await ask({ open: weather, seed });
      return {
        url,
        start: async () => void (await ask({ start: url })),
        close: async () => void (await ask({ close: url })),
      };
    },
    busy: busyOf(thread.performance),
    close: () => thread.terminate(),
  };
}

/** How busy a thread was since the last call, from 0 to 1. */
export function busyOf({ eventLoopUtilization }: Worker['performance']): () => number {
  let before = eventLoopUtilization();
  return () => {
    const { utilization } = eventLoopUtilization(before);
    before = eventLoopUtilization();
    return utilization;
  };
}
