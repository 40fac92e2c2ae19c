/** A position in a queue. */
export interface QueuePosition {
  /** Resolves when all earlier positions have ended; absent for the first. */
  readonly before: Promise<void> | undefined;
  /** Releases the next position; idempotent. */
  end(): void;
}

/** First-in, first-out queues by name: positions are taken at once, the work to get ready may take any time. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<void>>();

  take(name: string): QueuePosition {
    const before = this.#last.get(name);
    let end = (): void => {};
    const own = new Promise<void>((resolve) => {
      end = resolve;
    });
    const all = before ? before.then(() => own) : own;
    this.#last.set(name, all);
    void all.then(() => {
      if (this.#last.get(name) === all) this.#last.delete(name);
    });
    return { before, end };
  }
}
