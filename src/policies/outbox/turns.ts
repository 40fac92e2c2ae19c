/** A place in a line. */
export interface Turn {
  /** Settles when those before have ended theirs; absent where nobody is before. */
  readonly before: Promise<void> | undefined;
  /** Lets the next one go; harmless afterwards. */
  end(): void;
}

/** Lines, each under a name: who comes first goes first, however long each takes to make itself ready. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>();

  take(name: string): Turn {
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
