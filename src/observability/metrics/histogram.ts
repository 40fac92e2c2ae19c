/** Buckets to each doubling: a value is known to within 4.4 % (2^(1/16)). */
const PER_DOUBLING = 8;

/** The lowest value that differs from 0, and how many doublings there are above it: to 17 minutes, in ms. */
const LOWEST = 0.125;
const DOUBLINGS = 23;

export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** The largest there was, as it was. */
  readonly max: number;
}

/**
 * The distribution of durations, in 740 bytes: buckets grow with their durations, so that the relative error is
 * the same for all.
 *
 * @see Tene, HdrHistogram; Prometheus, native histograms.
 */
export class Histogram {
  readonly #buckets = new Uint32Array(DOUBLINGS * PER_DOUBLING + 1);
  #count = 0;
  #max = 0;

  /** @param ms Ignored if negative or not a number. */
  add(ms: number): void {
    if (!(ms >= 0)) return;
    const bucket = ms <= LOWEST ? 0 : Math.ceil(Math.log2(ms / LOWEST) * PER_DOUBLING);
    const at = Math.min(bucket, this.#buckets.length - 1);
    this.#buckets[at] = (this.#buckets[at] as number) + 1;
    this.#count++;
    this.#max = Math.max(this.#max, ms);
  }

  /** The value that so many of all do not exceed. @param share From 0 to 1. @returns 0 where there are none. */
  quantile(share: number): number {
    const wanted = Math.max(1, Math.ceil(share * this.#count));
    let seen = 0;
    for (const [bucket, count] of this.#buckets.entries()) {
      seen += count;
      if (seen >= wanted) return this.#count === 0 ? 0 : Math.min(this.#max, middle(bucket));
    }
    return this.#max;
  }

  quantiles(): Quantiles {
    const [p50, p95, p99] = [0.5, 0.95, 0.99].map((share) => round(this.quantile(share))) as [
      number,
      number,
      number,
    ];
    return { count: this.#count, p50, p95, p99, max: round(this.#max) };
  }

  /** For a chart: how many do not exceed each of some bounds, in ms. */
  upTo(bounds: readonly number[]): number[] {
    return bounds.map((bound) => {
      let count = 0;
      for (const [bucket, of] of this.#buckets.entries()) if (middle(bucket) <= bound) count += of;
      return count;
    });
  }
}

/** Of a bucket, so that the error is the same both ways. */
const middle = (bucket: number): number => LOWEST * 2 ** ((bucket - 0.5) / PER_DOUBLING);

const round = (ms: number): number => Math.round(ms * 10) / 10;
