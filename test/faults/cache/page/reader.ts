import {
  createFetch,
  type HoldfastFetch,
  type StaleCache,
  type StaleCacheOptions,
  staleCache,
} from '../../../../src/index.ts';
import { type Reading, reading } from './reading.ts';

export type User = 'ann' | 'bob';

/** Ours alone, whatever others get: the origin answers, answers 503, or does not answer. */
export type Network = 'up' | 'failing' | 'gone';

/** What may become of a body that was to be kept. */
const FATES = ['cache-stored', 'store-failed', 'cache-discarded'];

/** A page somebody is signed in to, who may be another one the next moment. */
export class Reader {
  readonly told: string[] = [];
  user: User = 'ann';
  network: Network = 'up';
  readonly #origin: string;
  readonly #cache: StaleCache;
  readonly #fetch: HoldfastFetch;
  #fated: (fate: string) => void = () => {};

  constructor(origin: string, options: StaleCacheOptions) {
    this.#origin = origin;
    this.#cache = staleCache(options);
    this.#fetch = createFetch({
      partition: () => this.user,
      staleCache: this.#cache,
      retry: false,
      breaker: false,
      // The browser's own cache knows nothing of users, and would answer for an origin that is gone.
      fetch: (request, init) => fetch(request, { ...init, cache: 'no-store' }),
      onEvent: ({ type }) => {
        this.told.push(type);
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
   * Reads, where nobody else reads meanwhile.
   *
   * @returns the event that tells what became of the body.
   * @throws if it did not come whole.
   */
  async keep(path: string): Promise<string> {
    const fate = new Promise<string>((resolve) => {
      this.#fated = resolve;
    });
    const reading = await this.read(path);
    if ('failed' in reading || !reading.whole) throw new Error(`${path}: ${JSON.stringify(reading)}`);
    return fate;
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
