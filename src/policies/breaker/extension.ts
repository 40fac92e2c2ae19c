import type { Run } from '../../core/stage.ts';
import type { Circuit, CircuitState, Passage } from './circuit.ts';

/** What `breaker()` adds to the plain breaker of a client. */
export interface Extension {
  /** Asked when a run has got the permit of its origin: whether something else is the probe. */
  probe?(circuit: Circuit, run: Run): boolean;
  /** A run is let go. */
  admitted?(run: Run, passage: Passage): void;
  /** A circuit is in another state. */
  changed?(circuit: Circuit, from: CircuitState): void;
}
