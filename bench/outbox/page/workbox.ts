import { Queue } from 'workbox-background-sync';
import { initOf, taken, URL_OF_WRITES } from './write.ts';

// It looks there whether the browser can wake it; a page cannot be woken, and registering for that is not paid for.
Object.assign(globalThis, { registration: {} });

/** It takes the browser's `fetch`, and commits with relaxed durability. */
export class Workbox {
  readonly #queue: Queue;

  constructor(name: string) {
    // Without this it would begin to send at once.
    this.#queue = new Queue(name, { onSync: async () => {} });
  }

  enqueue(number: number): Promise<void> {
    return this.#queue.pushRequest({ request: new Request(URL_OF_WRITES, initOf(number)) });
  }

  async drain(): Promise<number> {
    let sent = 0;
    const { fetch } = globalThis;
    globalThis.fetch = async () => {
      sent++;
      return taken();
    };
    try {
      await this.#queue.replayRequests();
    } finally {
      globalThis.fetch = fetch;
    }
    return sent;
  }
}
