import type { Handler, Home } from '../../core/contract.ts';
import type { Run } from '../../core/stage.ts';
import type { Circuit, HalfOpen, Pass, Passage } from './circuit.ts';

/** What `breaker()` adds to the plain breaker of a client. */
export interface Extension {
  attach?(home: Home, inside: Handler): void;
  /** A run begins. */
  enter?(run: Run): void;
  /** Asked when a run has got the permit of its origin: whether something else is the probe. */
  probe?(circuit: HalfOpen, run: Run): boolean;
  /** A run is let go. */
  admitted?(run: Run, passage: Passage): void;
  /** The outcome of a run has counted for or against the circuit of a pass. */
  judged?(run: Run, pass: Pass, passage: Passage): void;
  /** A run has given its passes back. */
  left?(run: Run): void;
  /** A circuit is in another state. */
  changed?(key: string, from: Circuit, to: Circuit): void;
}
