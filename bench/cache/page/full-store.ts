import { HEADERS } from '../answer.ts';
import { type Cached, cached } from './holdfast.ts';
import { timed } from './rounds.ts';

const LOOKUPS = 20;
const STORES = 5;

/** So many at once while it is filled. */
const AT_ONCE = 100;

const BODY = new Uint8Array(1_000);

/** A stale cache with as many entries as it may have: whatever is stored, something has to go for it. */
export class FullStore {
  readonly entries: number;
  #cache: Cached;
  /** The next one to be stored. */
  #next = 0;
  #online = false;
  #lookups = 0;

  constructor(entries: number) {
    this.entries = entries;
    this.#cache = this.#open();
  }

  static async of(entries: number): Promise<FullStore> {
    const store = new FullStore(entries);
    while (store.#next < entries) await store.#store(AT_ONCE);
    await store.close();
    return store;
  }

  /** Milliseconds to the first answer, as after the start of an application. */
  opening(): Promise<number> {
    this.#cache = this.#open();
    return timed(1, () => this.#read(this.#next - 1));
  }

  lookup(): Promise<number> {
    // What is older than half of them may have had to go.
    return timed(LOOKUPS, () => this.#read(this.#next - 1 - ((this.#lookups++ * 37) % (this.entries / 2))));
  }

  storing(): Promise<number> {
    return timed(STORES, () => this.#store(1));
  }

  async close(): Promise<void> {
    await this.#cache.fetch.close();
  }

  #open(): Cached {
    return cached({
      database: `bench ${this.entries} entries`,
      memory: false,
      maxEntries: this.entries,
      origin: () =>
        this.#online ? new Response(BODY, { headers: HEADERS as [string, string][] }) : undefined,
    });
  }

  async #store(count: number): Promise<void> {
    this.#online = true;
    await Promise.all(Array.from({ length: count }, () => this.#read(this.#next++)));
    await this.#cache.settled();
    this.#online = false;
  }

  async #read(number: number): Promise<void> {
    const response = await this.#cache.fetch(new URL(`/entries/${number}`, location.href));
    const { byteLength } = await response.arrayBuffer();
    if (byteLength !== BODY.byteLength) throw new Error(`entry ${number} of ${this.entries} is not there`);
  }
}
