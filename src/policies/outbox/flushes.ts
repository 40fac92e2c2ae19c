/** The flushes under way. */
export class Flushes {
  readonly #flushes = new Set<{ readonly signal: AbortSignal | undefined }>();

  /** While `work` goes on. */
  async during(signal: AbortSignal | undefined, work: () => Promise<void>): Promise<void> {
    const flush = { signal };
    this.#flushes.add(flush);
    try {
      await work();
    } finally {
      this.#flushes.delete(flush);
    }
  }

  /** An aborted flush stops work that was running, not work that starts later. */
  forgetStopped(): void {
    for (const flush of this.#flushes) if (flush.signal?.aborted) this.#flushes.delete(flush);
  }

  /** All flushes are aborted, and there is one. */
  get areStopped(): boolean {
    const flushes = [...this.#flushes];
    return flushes.length > 0 && flushes.every(({ signal }) => signal?.aborted);
  }
}
