import { PerOrigin } from '../../core/origins.ts';
import type { SharedCircuit } from '../../policies/breaker/sharing.ts';
import { type CircuitReport, LONGEST_KEY, MOST_WORDS, type Reply } from './sharing-words.ts';

interface KnownCircuit {
  is: SharedCircuit['is'];
  /** In ticks. */
  until: number;
  times: number;
  later: number;
  /** The coordinator's, 0 where it has none yet. */
  version: number;
  /** When it became known here, in the order of all that did; 0: it is not known. */
  stamp: number;
  /** The breaker that told it; absent: another isolate's. */
  by: object | undefined;
  /** The coordinator has not been told. */
  pending: boolean;
}

/** What this isolate knows of circuits: what its breakers tell, and what those of others do. Of at most 1,000. */
export class IsolateCircuits {
  readonly #circuits = new PerOrigin(
    (): KnownCircuit => ({
      is: 'closed',
      until: 0,
      times: 0,
      later: 0,
      version: 0,
      stamp: 0,
      by: undefined,
      pending: false,
    }),
  );
  #stamp = 0;

  /** @param by The breaker. */
  tell({ key, is, left, times }: SharedCircuit, by: object, now: number): void {
    if (key.length > LONGEST_KEY) return;
    const stamp = ++this.#stamp;
    Object.assign(this.#circuits.get(key), {
      is,
      until: now + left,
      times,
      later: 0,
      stamp,
      by,
      pending: true,
    });
  }

  /**
   * Tells a breaker what has become known since it last asked.
   *
   * @param seen What was returned then; below 0 the first time.
   */
  catchUp(seen: number, by: object, now: number, heard: (circuit: SharedCircuit) => void): number {
    if (seen === this.#stamp) return seen;
    for (const [key, known] of this.#circuits.entries()) {
      const { is, until, times, later, stamp } = known;
      // To a breaker that has just been made all circuits are closed.
      if (stamp <= seen || known.by === by || (seen < 0 && is === 'closed')) continue;
      heard({ key, is, left: Math.max(0, until - now), times, later });
    }
    return this.#stamp;
  }

  /** What the coordinator is to be told, and what is to be done when it has answered. */
  report(now: number): { reports: CircuitReport[]; rest: boolean; told: () => void } {
    const pending = [...this.#circuits.entries()].filter(([, known]) => known.pending);
    const some = pending.slice(0, MOST_WORDS);
    const until = this.#stamp;
    return {
      reports: some.map(([key, known]) => ({
        key,
        is: known.is,
        left: Math.max(0, known.until - now),
        times: known.times,
        seen: known.version,
      })),
      rest: pending.length > some.length,
      told() {
        for (const [, known] of some) if (known.stamp <= until) known.pending = false;
      },
    };
  }

  /**
   * @param me This isolate.
   * @param later How much later this isolate probes than who told of an open circuit.
   */
  learn(news: Reply['circuits'], me: string, now: number, later: number): void {
    for (const { key, is, left, times, version, by } of news) {
      const known = this.#circuits.get(key);
      known.version = version;
      if (by === me) continue;
      const stamp = ++this.#stamp;
      Object.assign(known, { is, until: now + left, times, later, stamp, by: undefined, pending: false });
    }
  }

  /** The coordinator has lost its memory: it is told again what is still true. */
  retell(now: number): void {
    for (const [, known] of this.#circuits.entries()) {
      known.version = 0;
      if (known.is === 'isolated' || (known.is !== 'closed' && known.until > now)) known.pending = true;
    }
  }
}
