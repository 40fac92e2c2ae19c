/** A page with a service worker, both with the same pipeline. A test uses it as `page`. */
import type { OutboxNotification } from '../../../../src/index.ts';
import { killSwitch } from '../../../../src/service-worker.ts';
import { pipeline } from './pipeline.ts';

export interface Wish {
  readonly id: string;
  readonly lane: string;
}

const { fetch, queue, cache, session } = pipeline();
const news: string[] = [];
queue.subscribe((event: OutboxNotification) => {
  if ('id' in event) news.push(`${event.type} ${event.id}${event.remote ? ' elsewhere' : ''}`);
});

const page = {
  async ready(): Promise<void> {
    await navigator.serviceWorker.register('/worker.js');
    await navigator.serviceWorker.ready;
    if (!navigator.serviceWorker.controller)
      await new Promise((done) =>
        navigator.serviceWorker.addEventListener('controllerchange', done, { once: true }),
      );
    await session.ready;
  },
  signIn: (user: string): Promise<void> => session.signIn(user),
  signOut: (): Promise<void> => session.signOut(),
  /** Statuses of the responses, in the order of the writes. */
  async write(url: string, wishes: readonly Wish[]): Promise<number[]> {
    const statuses = wishes.map(async ({ id, lane }) => {
      const headers = { 'x-lane': lane };
      const init = { method: 'POST', body: id, headers, holdfast: { outbox: { id, lane } } };
      // The ledger shows overlaps by path.
      return (await fetch(`${url}/${lane}`, init)).status;
    });
    return Promise.all(statuses);
  },
  counts: () => queue.counts(),
  /** Paths of the cached responses, which page and worker share. */
  stored: async (): Promise<string[]> => (await cache.entries()).map(({ url }) => new URL(url).pathname),
  news: (): string[] => news,
  /** By the page's own fetch, without the library. */
  async plain(url: string, init?: RequestInit): Promise<string> {
    try {
      const response = await globalThis.fetch(url, init);
      return `${response.status} ${await response.text()}`;
    } catch (error) {
      return (error as Error).name;
    }
  },
  async switchOff(): Promise<void> {
    await killSwitch().turnOff();
  },
  async switchOn(): Promise<void> {
    await killSwitch().turnOn();
  },
};

export type Page = typeof page;

Object.assign(globalThis, { page });
