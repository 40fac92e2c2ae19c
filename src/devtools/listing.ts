/** Pages of a store's listing, read one after the other, so that no read takes long. */
export class Listing<T extends { readonly key: string }> {
  readonly #page: (after: string | undefined, limit: number) => Promise<readonly T[]>;
  readonly #changed: () => void;
  #wanted = PAGE;
  #isReading = false;
  #isStale = false;
  /** Oldest first, at most 10,000. */
  items: readonly T[] = [];
  /** Why the last reading failed. */
  error: unknown;

  /** @param page Reads a page. @param changed Called when there is something new. */
  constructor(
    page: (after: string | undefined, limit: number) => Promise<readonly T[]>,
    changed: () => void,
  ) {
    this.#page = page;
    this.#changed = changed;
  }

  /** Reads again. While a reading is under way, one more follows it. */
  refresh(): void {
    this.#isStale = true;
    if (!this.#isReading) void this.#read();
  }

  /** Reads further, if the last reading had as many as were wanted. */
  more(): void {
    if (this.items.length < this.#wanted || this.#wanted >= MOST) return;
    this.#wanted = Math.min(MOST, this.#wanted * 4);
    this.refresh();
  }

  async #read(): Promise<void> {
    this.#isReading = true;
    while (this.#isStale) {
      this.#isStale = false;
      try {
        this.items = await this.#pages();
        this.error = undefined;
      } catch (error) {
        this.error = error;
      }
      this.#changed();
      // Many events in a row are worth one reading.
      await new Promise((done) => setTimeout(done, REST));
    }
    this.#isReading = false;
  }

  async #pages(): Promise<T[]> {
    const items: T[] = [];
    while (items.length < this.#wanted) {
      const page = await this.#page(items.at(-1)?.key, PAGE);
      items.push(...page);
      if (page.length < PAGE) break;
    }
    return items;
  }
}

/** Entries that are read together, and in all; and the rest between two readings, in ms. */
const PAGE = 100;
const MOST = 10_000;
const REST = 250;
