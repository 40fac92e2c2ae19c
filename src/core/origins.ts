/** `new URL(url).origin` for the URL of a request, which is in normal form; seldom needs the parser. */
export function originOf(url: string): string {
  if (!url.startsWith('http')) return new URL(url).origin;
  return url.slice(0, url.indexOf('/', url.indexOf(':') + 3));
}

/** `'https://a.example'`, and not the URL of a path. */
export const isOrigin = (key: string): boolean => key.lastIndexOf('/') <= 'https://'.length;

/**
 * State per origin, bounded: what was used longest ago is dropped.
 *
 * @param most How many origins are remembered. Default 1,000.
 */
export class LruMap<T> {
  readonly #states = new Map<string, T>();
  readonly #make: (origin: string) => T;
  readonly #most: number;

  constructor(make: (origin: string) => T, most = 1000) {
    this.#make = make;
    this.#most = most;
  }

  get(origin: string): T {
    let state = this.#states.get(origin);
    if (state === undefined) {
      state = this.#make(origin);
    } else {
      // Only where there is something to order: one origin is the usual case.
      if (this.#states.size === 1) return state;
      this.#states.delete(origin);
    }
    this.#states.set(origin, state);
    if (this.#states.size > this.#most) this.#states.delete(this.#states.keys().next().value as string);
    return state;
  }

  /** Does not make a state, nor count as a use. */
  has(origin: string): boolean {
    return this.#states.has(origin);
  }

  set(origin: string, state: T): void {
    this.#states.set(origin, state);
  }

  entries(): IterableIterator<[string, T]> {
    return this.#states.entries();
  }
}
