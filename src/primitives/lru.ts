/** Removes the oldest entry of a map that holds more than `most`. @returns that entry. */
export function dropOldest<K, V>(map: Map<K, V>, most: number): [key: K, value: V] | undefined {
  if (map.size <= most) return undefined;
  const oldest = map.entries().next().value as [K, V];
  map.delete(oldest[0]);
  return oldest;
}

/**
 * State per origin, bounded: the least recently used is dropped first.
 *
 * @param maxSize How many origins are kept. Default 1,000.
 */
export class LruMap<T> {
  readonly #states = new Map<string, T>();
  readonly #make: (origin: string) => T;
  readonly #maxSize: number;

  constructor(make: (origin: string) => T, maxSize = 1000) {
    this.#make = make;
    this.#maxSize = maxSize;
  }

  get(origin: string): T {
    let state = this.#states.get(origin);
    if (state === undefined) {
      state = this.#make(origin);
    } else {
      // One origin is the usual case, and needs no order.
      if (this.#states.size === 1) return state;
      this.#states.delete(origin);
    }
    this.#states.set(origin, state);
    dropOldest(this.#states, this.#maxSize);
    return state;
  }

  get isEmpty(): boolean {
    return this.#states.size === 0;
  }

  /** Neither makes a state nor counts as a use. */
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
