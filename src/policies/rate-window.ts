const BUCKETS = 10;

/** Counts calls and failures over a sliding time, in constant memory: ten buckets that are reused in turn. */
export class RateWindow {
  readonly #width: number;
  readonly #calls = new Uint32Array(BUCKETS);
  readonly #failed = new Uint32Array(BUCKETS);
  #newest = 0;

  /** @param span Milliseconds that are remembered. */
  constructor(span: number) {
    this.#width = span / BUCKETS;
  }

  /** Counts one call and tells what the window holds. */
  add(now: number, failed: boolean): { calls: number; failed: number } {
    const bucket = Math.floor(now / this.#width);
    // Buckets that have slid out, at most all of them.
    for (let old = Math.max(this.#newest + 1, bucket - BUCKETS + 1); old <= bucket; old++) {
      this.#calls[old % BUCKETS] = 0;
      this.#failed[old % BUCKETS] = 0;
    }
    this.#newest = Math.max(this.#newest, bucket);
    count(this.#calls, bucket);
    if (failed) count(this.#failed, bucket);
    return { calls: sum(this.#calls), failed: sum(this.#failed) };
  }
}

const count = (counts: Uint32Array, bucket: number): void => {
  counts[bucket % BUCKETS] = (counts[bucket % BUCKETS] ?? 0) + 1;
};

const sum = (counts: Uint32Array): number => counts.reduce((total, each) => total + each, 0);
