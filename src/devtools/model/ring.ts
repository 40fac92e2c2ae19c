/** The last `size` items. An older one makes room for each new one. */
export class Ring<T> {
  readonly #size: number;
  #items: T[] = [];
  /** How many were ever pushed. */
  pushed = 0;

  constructor(size: number) {
    this.#size = size;
  }

  get length(): number {
    return this.#items.length;
  }

  /** @returns the item that made room. */
  push(item: T): T | undefined {
    const place = this.pushed++ % this.#size;
    const oldest = this.#items[place];
    this.#items[place] = item;
    return oldest;
  }

  /** @param index 0 is the newest. */
  at(index: number): T | undefined {
    if (index < 0 || index >= this.#items.length) return undefined;
    return this.#items[(this.pushed - 1 - index) % this.#size];
  }

  /** Those that pass, newest first. */
  filter(passes: (item: T) => boolean): T[] {
    const found: T[] = [];
    for (let index = 0; index < this.length; index++) {
      const item = this.at(index) as T;
      if (passes(item)) found.push(item);
    }
    return found;
  }

  clear(): void {
    this.#items = [];
    this.pushed = 0;
  }
}
