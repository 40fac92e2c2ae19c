import type { EventOf } from '../../core/events.ts';
import type { Source } from '../../core/outcome.ts';
import type { Category } from '../../primitives/failure.ts';
import { categoryOfCall, severityOf } from '../log/severity.ts';

/** Calls of one origin, of one operation, or all of them. */
export interface SeriesSnapshot {
  readonly calls: number;
  /** Those that failed unexpectedly: network, time-outs, 5xx, 429, refusals. */
  readonly errors: number;
  /** By the source of the response; `error`: there was none. */
  readonly outcomes: Readonly<Partial<Record<Source | 'error', number>>>;
  readonly categories: Readonly<Partial<Record<Category, number>>>;
  /** Requests on the wire beyond the first of each call. */
  readonly resent: number;
  /** Bytes of bodies, as far as they are known. */
  readonly sent: number;
  readonly received: number;
  /** Milliseconds to the response or to the failure. */
  readonly latency: Quantiles;
}

export class Series {
  readonly latency = new Histogram();
  readonly #outcomes: Partial<Record<Source | 'error', number>> = {};
  readonly #categories: Partial<Record<Category, number>> = {};
  #calls = 0;
  #errors = 0;
  #resent = 0;
  #sent = 0;
  #received = 0;

  add(call: EventOf<'call-ended'>): void {
    const category = categoryOfCall(call);
    const outcome = call.error === undefined ? (call.source ?? 'network') : 'error';
    this.#calls++;
    if (isError(call)) this.#errors++;
    this.#outcomes[outcome] = (this.#outcomes[outcome] ?? 0) + 1;
    if (category) this.#categories[category] = (this.#categories[category] ?? 0) + 1;
    this.#resent += Math.max(0, call.attempts.length - 1);
    this.#sent += call.sent ?? 0;
    this.#received += call.received ?? 0;
    this.latency.add(call.duration);
  }

  snapshot(): SeriesSnapshot {
    return {
      calls: this.#calls,
      errors: this.#errors,
      outcomes: { ...this.#outcomes },
      categories: { ...this.#categories },
      resent: this.#resent,
      sent: this.#sent,
      received: this.#received,
      latency: this.latency.quantiles(),
    };
  }
}

/** Whether a call failed in a way that says something of the service. */
export const isError = (call: EventOf<'call-ended'>): boolean => severityOf(call) !== 'expected';

/** The series of all names without one of their own. */
const OTHERS = '(others)';

/** Series by name, no more than so many: names may come from users. */
export class SeriesByName {
  readonly #most: number;
  readonly #series = new Map<string, Series>();

  constructor(most: number) {
    this.#most = most;
  }

  of(name: string): Series {
    const known = this.#series.get(name);
    if (known) return known;
    if (this.#series.size >= this.#most && name !== OTHERS) return this.of(OTHERS);
    const made = new Series();
    this.#series.set(name, made);
    return made;
  }

  snapshot(): Record<string, SeriesSnapshot> {
    return Object.fromEntries([...this.#series].map(([name, series]) => [name, series.snapshot()]));
  }
}

/** Buckets to each doubling: a value is known to within 4.4 % (2^(1/16)). */
const PER_DOUBLING = 8;

/** The lowest value that differs from 0, and how many doublings there are above it: to 37 hours, in ms. */
const LOWEST = 0.125;
const DOUBLINGS = 30;

export interface Quantiles {
  readonly count: number;
  readonly p50: number;
  readonly p95: number;
  readonly p99: number;
  /** The largest there was, as it was. */
  readonly max: number;
}

/**
 * The distribution of durations, in 1 kB: buckets grow with their durations, so that the relative error is
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
    const at = Math.min(bucketOf(ms), this.#buckets.length - 1);
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
    const at = (share: number): number => round(this.quantile(share));
    return { count: this.#count, p50: at(0.5), p95: at(0.95), p99: at(0.99), max: round(this.#max) };
  }

  /** For a chart: how many do not exceed each of some bounds, in ms. Those in the bucket of a bound count as its equals. */
  upTo(bounds: readonly number[]): number[] {
    return bounds.map((bound) =>
      bound >= 0 ? this.#buckets.subarray(0, bucketOf(bound) + 1).reduce((sum, of) => sum + of, 0) : 0,
    );
  }
}

/** The bucket of a duration. */
const bucketOf = (ms: number): number =>
  ms <= LOWEST ? 0 : Math.ceil(Math.log2(ms / LOWEST) * PER_DOUBLING);

/** Of a bucket, so that the error is the same both ways. */
const middle = (bucket: number): number => LOWEST * 2 ** ((bucket - 0.5) / PER_DOUBLING);

const round = (ms: number): number => Math.round(ms * 10) / 10;
