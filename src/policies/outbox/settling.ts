/**
 * So many of a lane may have been delivered and not yet be taken out while the next are sent: they share a commit. If the
 * page is killed then, they are sent again, each under its key.
 */
const DEPTH = 32;

/** Writes that have been delivered and are being taken out. */
export class Settling {
  readonly #under = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  add(work: Promise<void>): void {
    const ended = work
      .catch((error) => {
        this.#failure ??= { error };
      })
      .finally(() => this.#under.delete(ended));
    this.#under.add(ended);
  }

  /** Settles when there is room for one more. @throws what one of them has failed with. */
  async room(): Promise<void> {
    if (this.#under.size >= DEPTH) await Promise.race(this.#under);
    if (this.#failure) throw this.#failure.error;
  }

  /** Settles when all of them have ended. @throws what one of them has failed with. */
  async done(): Promise<void> {
    await Promise.all(this.#under);
    if (this.#failure) throw this.#failure.error;
  }
}
