import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type RunningServer, type RunOptions, startDenoServer } from '../../playground/deno/run.ts';
import type { Entry } from '../../tools/misbehaving-server/ledger.ts';
import { startServer } from '../../tools/misbehaving-server/server.ts';

/** An upstream that can be broken, a database, and whoever serves on it. */
export interface World {
  start(options?: Partial<RunOptions>): Promise<RunningServer>;
  /** Breaks the upstream, or mends it. */
  control(path: string, body?: object): Promise<unknown>;
  ledger(): Promise<Entry[]>;
  close(): Promise<void>;
}

export async function openWorld(): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), 'holdfast-deno-'));
  const upstream = await startServer({ controlPort: 0 });
  const running = new Set<RunningServer>();
  const ask = async (path: string, init?: RequestInit): Promise<unknown> =>
    (await fetch(`${upstream.controlUrl}/control/${path}`, init)).json();
  return {
    async start(options = {}) {
      const database = join(folder, 'orders.db');
      const server = await startDenoServer({ upstream: upstream.url, database, ...options });
      running.add(server);
      return server;
    },
    control: (path, body = {}) => ask(path, { method: 'POST', body: JSON.stringify(body) }),
    ledger: async () => (await ask('ledger')) as Entry[],
    async close() {
      await Promise.all([...running].map((server) => server.stop('SIGKILL')));
      await upstream.close();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

export interface Counts {
  readonly waiting: number;
  readonly deadLetters: number;
}

export const counts = async ({ url }: RunningServer): Promise<Counts> =>
  (await fetch(new URL('/waiting', url))).json() as Promise<Counts>;

export interface Order {
  readonly id: string;
  readonly shop?: string;
  readonly note?: string;
}

export const bodyOf = ({ id, note }: Order): string => JSON.stringify({ item: id, note });

export const post = ({ url }: RunningServer, order: Order): Promise<Response> =>
  fetch(`${url}?shop=${order.shop ?? 'main'}`, {
    method: 'POST',
    headers: { 'x-order-id': order.id },
    body: bodyOf(order),
  });

/** @throws where it does not come about. @param patience In ms. */
export async function until(what: string, patience: number, come: () => Promise<boolean>): Promise<void> {
  const since = performance.now();
  while (!(await come())) {
    if (performance.now() - since > patience) throw new Error(`${what}: not within ${patience / 1000} s`);
    await sleep(50);
  }
}

/** Of which order an entry of the ledger is; it keeps the beginning of a body. */
export const orderOf = ({ body }: Entry): string => /"item":"([^"]+)"/.exec(body ?? '')?.[1] ?? `${body}`;
