/** The flushes that run now. */
export class ActiveFlushes {
  readonly #flushes = new Set<{ readonly signal: AbortSignal | undefined }>();

  /** Counts a flush as active while `work` runs. */
  async track(signal: AbortSignal | undefined, work: () => Promise<void>): Promise<void> {
    const flush = { signal };
    this.#flushes.add(flush);
    try {
      await work();
    } finally {
      this.#flushes.delete(flush);
    }
  }

  /** An aborted flush stops work that was running, not work that starts later. */
  dropAborted(): void {
    for (const flush of this.#flushes) if (flush.signal?.aborted) this.#flushes.delete(flush);
  }

  /** All flushes are aborted, and there is one. */
  get allAborted(): boolean {
    const flushes = [...this.#flushes];
    return flushes.length > 0 && flushes.every(({ signal }) => signal?.aborted);
  }
}
