const BUCKETS = 10;

interface Bucket {
  calls: number;
  slow: number;
}

const empty = (): Bucket => ({ calls: 0, slow: 0 });

/** Counts calls and slow calls over a sliding time, in constant memory: ten buckets that are used in turn. */
export class RateWindow {
  readonly #width: number;
  readonly #buckets = Array.from({ length: BUCKETS }, empty);
  #newest = 0;
  readonly #sum = empty();

  /** @param span Milliseconds that are remembered. */
  constructor(span: number) {
    this.#width = span / BUCKETS;
  }

  /** @returns what happened in the time, this call included. */
  add(now: number, slow: boolean): Readonly<Bucket> {
    const sum = this.#sum;
    const newest = Math.floor(now / this.#width);
    // What has slid out, at most everything.
    for (let old = Math.max(this.#newest + 1, newest - BUCKETS + 1); old <= newest; old++) {
      const gone = this.#at(old);
      sum.calls -= gone.calls;
      sum.slow -= gone.slow;
      gone.calls = gone.slow = 0;
    }
    this.#newest = Math.max(this.#newest, newest);
    for (const counts of [this.#at(newest), sum]) {
      counts.calls++;
      if (slow) counts.slow++;
    }
    return sum;
  }

  #at(bucket: number): Bucket {
    return this.#buckets[bucket % BUCKETS] as Bucket;
  }
}
