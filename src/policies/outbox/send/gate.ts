import type { PipelineContext } from '../../../core/contract.ts';
import { currentPartition } from '../../../core/user.ts';

/** How many paused partitions are remembered: other tabs broadcast theirs. One that is dropped gets another 401. */
const MAX_PAUSED = 1_000;

/** The application, or a newer outbox of this name, which sends the entries. */
export type Retiring = 'application' | 'newer outbox';

/** Whether entries of a user may be sent at all. */
export class SendGate {
  readonly #pipeline: PipelineContext;
  /** Partitions with refused credentials. */
  readonly #paused = new Set<string>();
  /** Grows with each change of pauses or of a lane's order: a worker then reads them again. */
  version = 0;
  readonly #retiredBy = new Set<Retiring>();

  constructor(pipeline: PipelineContext) {
    this.#pipeline = pipeline;
  }

  /** Only for the current user, and only with a network. */
  isOpen(partition: string): boolean {
    const { signal, host } = this.#pipeline;
    return (
      !signal.aborted &&
      this.#retiredBy.size === 0 &&
      host.connectivity.state &&
      !this.#paused.has(partition) &&
      currentPartition(this.#pipeline) === partition
    );
  }

  /** @param by Each ends only its own retirement. */
  retire(by: Retiring, isRetired: boolean): void {
    this.#retiredBy[isRetired ? 'add' : 'delete'](by);
    this.changed();
  }

  /** The user's credentials were refused: nothing of theirs is sent for now. */
  pause(partition: string): void {
    this.#paused.add(partition);
    if (this.#paused.size > MAX_PAUSED) this.#paused.delete(this.#paused.values().next().value as string);
  }

  isPaused(partition: string): boolean {
    return this.#paused.has(partition);
  }

  resume(partition: string): void {
    this.#paused.delete(partition);
  }

  /** Pauses, stopped lanes, or the order of a lane have changed. */
  changed(): void {
    this.version++;
  }
}
