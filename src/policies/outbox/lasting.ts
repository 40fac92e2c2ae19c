/** Work that goes on after a call, and that has to have ended before the store is given back. */
export class Lasting {
  readonly #work = new Set<Promise<void>>();

  /** @returns the work itself. */
  add<T>(work: Promise<T>): Promise<T> {
    const over = (): void => void this.#work.delete(ended);
    const ended: Promise<void> = work.then(over, over);
    this.#work.add(ended);
    return work;
  }

  /** Settles when there is none left. */
  async ended(): Promise<void> {
    while (this.#work.size > 0) await Promise.all(this.#work);
  }
}
