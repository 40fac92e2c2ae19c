const BUCKETS = 10;

/** Counts calls and failures over a sliding time, in constant memory: ten buckets that are used in turn. */
export class RateWindow {
  readonly #width: number;
  readonly #buckets = Array.from({ length: BUCKETS }, () => ({ calls: 0, failed: 0 }));
  #newest = 0;
  calls = 0;
  failed = 0;

  /** @param span Milliseconds that are remembered. */
  constructor(span: number) {
    this.#width = span / BUCKETS;
  }

  add(now: number, failed: number): void {
    const newest = Math.floor(now / this.#width);
    // What has slid out, at most everything.
    for (let old = Math.max(this.#newest + 1, newest - BUCKETS + 1); old <= newest; old++) {
      const gone = this.#at(old);
      this.calls -= gone.calls;
      this.failed -= gone.failed;
      gone.calls = gone.failed = 0;
    }
    this.#newest = Math.max(this.#newest, newest);
    const bucket = this.#at(newest);
    bucket.calls++;
    bucket.failed += failed;
    this.calls++;
    this.failed += failed;
  }

  #at(bucket: number): { calls: number; failed: number } {
    return this.#buckets[bucket % BUCKETS] as { calls: number; failed: number };
  }
}
