import type { Run } from '../../core/stage.ts';
import type { Passage } from './admission.ts';
import type { Circuit } from './circuit.ts';
import type { Circuits } from './circuits.ts';

/** The share of slow calls is taken of at least this many calls within this time in ms. */
const MIN_CALLS = 10;
const WINDOW = 30_000;

/** The window is ten buckets, used in turn. */
const BUCKETS = 10;

interface Bucket {
  calls: number;
  slow: number;
}

const empty = (): Bucket => ({ calls: 0, slow: 0 });

/** Counts calls and slow calls in a sliding window, in constant memory. */
class RateWindow {
  readonly #width: number;
  readonly #buckets = Array.from({ length: BUCKETS }, empty);
  #newest = 0;
  readonly #sum = empty();

  /** @param span Length of the window in ms. */
  constructor(span: number) {
    this.#width = span / BUCKETS;
  }

  /** @returns the totals of the window, this call included. */
  add(now: number, slow: boolean): Readonly<Bucket> {
    const sum = this.#sum;
    const newest = Math.floor(now / this.#width);
    // Subtract the buckets that have slid out, at most all.
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

/**
 * Opens a closed circuit when too many of its calls are slow, although they succeed.
 *
 * @param slowAfter In ms.
 * @param slowRate The share that is too much, from 0 to 1.
 */
export function slowCalls(
  { slowAfter, slowRate }: { slowAfter: number; slowRate: number },
  circuits: Circuits,
) {
  const windows = new WeakMap<Circuit, RateWindow>();
  const began = new WeakMap<Passage, number>();
  return {
    admitted({ call: { host } }: Run, passage: Passage): void {
      began.set(passage, host.clock.ticks());
    },
    /** The outcome of a run has counted for or against a circuit. */
    evaluated({ call: { host } }: Run, circuit: Circuit, passage: Passage): void {
      if (circuit.is !== 'closed' || passage.stamp < circuit.since) return;
      const now = host.clock.ticks();
      const slow = now - (began.get(passage) ?? now) > slowAfter;
      const window = windows.get(circuit) ?? new RateWindow(WINDOW);
      windows.set(circuit, window);
      const sum = window.add(now, slow);
      if (slow && sum.calls >= MIN_CALLS && sum.slow >= slowRate * sum.calls)
        circuits.open(circuit, now, host.random, { failures: 0, lastFailure: 'slow' });
    },
  };
}
