import { sooner, type Waits } from './schedule.ts';

/** Sends everything while somebody waits for it, until they have had enough. */
export interface Flush {
  readonly signal: AbortSignal | undefined;
  readonly waits: Waits;
}

/** Who waits until everything has been sent. */
export class Flushes {
  readonly #flushes = new Set<Flush>();

  /** While `work` goes on. */
  async during(flush: Flush, work: () => Promise<void>): Promise<void> {
    this.#flushes.add(flush);
    try {
      await work();
    } finally {
      this.#flushes.delete(flush);
    }
  }

  /** Who had enough has stopped what was under way then, and not what begins now. */
  forgetStopped(): void {
    for (const flush of this.#flushes) if (flush.signal?.aborted) this.#flushes.delete(flush);
  }

  /** All who wait have had enough. Where nobody waits there is nobody to have. */
  get areStopped(): boolean {
    const flushes = [...this.#flushes];
    return flushes.length > 0 && flushes.every(({ signal }) => signal?.aborted);
  }

  /** Of those who wait, who is in the greatest hurry. */
  get soonest(): Waits {
    return [...this.#flushes].reduce<Waits>((soonest, { waits }) => sooner(soonest, waits), 'all');
  }
}
