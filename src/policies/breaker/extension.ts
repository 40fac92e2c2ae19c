import type { Run } from '../../core/stage.ts';
import type { Circuit, CircuitState, Passage } from './circuit.ts';

/** What `breaker()` adds to the plain breaker of a client. */
export interface Extension {
  /** Called when a run has the permit of its origin. @returns true if a request of its own is the probe. */
  probe?(circuit: Circuit, run: Run): boolean;
  /** A run is admitted. */
  admitted?(run: Run, passage: Passage): void;
  /** A circuit has changed its state. */
  changed?(circuit: Circuit, from: CircuitState): void;
}
