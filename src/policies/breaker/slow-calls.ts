import type { Run } from '../../core/stage.ts';
import type { Passage } from './admission.ts';
import type { Circuit } from './circuit.ts';
import type { Circuits } from './transitions.ts';

/** The share of slow calls is taken of at least this many calls within this time in ms, and at most of so many. */
const MIN_CALLS = 10;
const WINDOW = 30_000;
const MAX_CALLS = 100;

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
  const began = new WeakMap<Passage, number>();
  /** The last calls of each circuit. */
  const recent = new WeakMap<
    Circuit,
    { readonly at: number; readonly since: number; readonly isSlow: boolean }[]
  >();
  return {
    /** It is sent now: what it has waited in queues is not the origin's. */
    sent({ call: { host } }: Run, passage: Passage): void {
      began.set(passage, host.clock.ticks());
    },
    /** The outcome of a run has counted for or against a circuit. */
    evaluated({ call: { host } }: Run, circuit: Circuit, passage: Passage): void {
      if (circuit.is !== 'closed' || passage.stamp < circuit.since) return;
      const now = host.clock.ticks();
      const isSlow = now - (began.get(passage) ?? now) > slowAfter;
      const before = recent.get(circuit)?.slice(1 - MAX_CALLS) ?? [];
      const { since } = circuit;
      // What was counted before the circuit closed, or was reset, is over.
      const valid = before.filter((call) => now - call.at < WINDOW && call.since === since);
      const calls = [...valid, { at: now, since, isSlow }];
      recent.set(circuit, calls);
      const slow = calls.filter((call) => call.isSlow).length;
      if (isSlow && calls.length >= MIN_CALLS && slow >= slowRate * calls.length)
        circuits.open(circuit, now, host.random, { failures: 0, lastFailure: 'slow' });
    },
  };
}
