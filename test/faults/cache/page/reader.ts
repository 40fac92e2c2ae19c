import {
  createFetch,
  type HoldfastFetch,
  type StaleCache,
  type StaleCacheOptions,
  staleCache,
} from '../../../../src/index.ts';
import { type Reading, reading } from './reading.ts';

export type User = 'ann' | 'bob';

/** For this reader alone: the origin responds, responds 503, or does not respond. */
export type Network = 'up' | 'failing' | 'gone';

/** The outcome of storing a body. */
const FATES = ['cache-stored', 'store-failed', 'cache-discarded'];

/** A page with a signed-in user, which may change at any moment. */
export class Reader {
  readonly emitted: string[] = [];
  user: User = 'ann';
  network: Network = 'up';
  readonly #origin: string;
  readonly #cache: StaleCache;
  readonly #fetch: HoldfastFetch;
  #fated: (outcome: string) => void = () => {};

  constructor(origin: string, options: StaleCacheOptions) {
    this.#origin = origin;
    this.#cache = staleCache(options);
    this.#fetch = createFetch({
      partition: () => this.user,
      staleCache: this.#cache,
      retry: false,
      breaker: false,
      // The browser's own cache knows no users, and would respond for an origin that is gone.
      fetch: (request, init) => fetch(request, { ...init, cache: 'no-store' }),
      onEvent: ({ type }) => {
        this.emitted.push(type);
        if (FATES.includes(type)) this.#fated(type);
      },
    });
  }

  read(path: string): Promise<Reading> {
    return reading(this.#fetch, this.#origin + path, { headers: this.#headers() });
  }

  write(path: string): Promise<Reading> {
    return reading(this.#fetch, this.#origin + path, { method: 'POST', headers: this.#headers() });
  }

  /**
   * Reads without any other read at the same time.
   *
   * @returns the event with the outcome of the body.
   * @throws if it did not arrive whole.
   */
  async keep(path: string): Promise<string> {
    const outcome = new Promise<string>((resolve) => {
      this.#fated = resolve;
    });
    const reading = await this.read(path);
    if ('failed' in reading || !reading.whole) throw new Error(`${path}: ${JSON.stringify(reading)}`);
    return outcome;
  }

  clear(partition: User): Promise<number> {
    return this.#cache.clear({ partition });
  }

  close(): Promise<void> {
    return this.#fetch.close();
  }

  #headers(): Record<string, string> {
    return { 'x-user': this.user, 'x-network': this.network };
  }
}
