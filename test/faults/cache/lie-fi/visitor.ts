import {
  createFetch,
  type HoldfastFetch,
  isFailure,
  isQueued,
  outbox,
  sourceOf,
  staleCache,
} from '../../../../src/index.ts';

type Stores = NonNullable<Parameters<typeof outbox>[0]>['store'];

/** The result of a call, and after how many seconds. */
export interface Timed {
  /** `stale 1`, `network 2`, `queued`, `201`, or the code of an error. */
  readonly got: string;
  readonly seconds: number;
}

/** A page with all defaults, in a browser or in Node. */
export class Visitor {
  /** URLs of `cache-updated`. */
  readonly updated: string[] = [];
  #stored = (): void => {};
  readonly #fetch: HoldfastFetch;

  /** @param store For runtimes without IndexedDB. */
  constructor(store?: Stores) {
    this.#fetch = createFetch({
      name: crypto.randomUUID(),
      partition: 'ann',
      staleCache: staleCache(store && { store }),
      outbox: outbox(store && { store }),
      onEvent: (event) => {
        if (event.type === 'cache-updated') this.updated.push(event.url);
        if (event.type === 'cache-stored') this.#stored();
      },
    });
  }

  /** Reads while the network is well, until there are cached responses. */
  async keep(urls: readonly string[]): Promise<void> {
    let left = urls.length;
    const stored = new Promise<void>((done) => {
      this.#stored = () => --left === 0 && done();
    });
    await this.readAll(urls);
    await stored;
  }

  read(url: string): Promise<Timed> {
    return timed(async () => {
      const response = await this.#fetch(url);
      return `${sourceOf(response)} ${await response.text()}`;
    });
  }

  readAll(urls: readonly string[]): Promise<Timed[]> {
    return Promise.all(urls.map((url) => this.read(url)));
  }

  /** A write for the outbox. */
  write(url: string, lane: string): Promise<Timed> {
    return timed(async () => {
      const response = await this.#fetch(url, { method: 'POST', body: 'x', holdfast: { outbox: { lane } } });
      await response.body?.cancel();
      return isQueued(response) ? 'queued' : String(response.status);
    });
  }

  announced(): readonly string[] {
    return this.updated;
  }

  close(): Promise<void> {
    return this.#fetch.close();
  }
}

async function timed(work: () => Promise<string>): Promise<Timed> {
  const before = performance.now();
  const got = await work().catch((error) => (isFailure(error) ? error.code : String(error)));
  return { got, seconds: (performance.now() - before) / 1000 };
}
