import type { PipelineContext } from '../../../core/contract.ts';
import { currentPartition } from '../../../core/user.ts';

/** How many paused partitions are remembered: other tabs broadcast theirs. One that is dropped gets another 401. */
const MAX_PAUSED = 1_000;

/** Whether entries of a user may be sent at all. */
export class SendGate {
  readonly #pipeline: PipelineContext;
  /** Partitions with refused credentials. */
  readonly #paused = new Set<string>();
  /** Grows with each change of pauses or of a lane's order: a worker then reads them again. */
  version = 0;
  #isRetired = false;

  constructor(pipeline: PipelineContext) {
    this.#pipeline = pipeline;
  }

  /** Only for the current user, and only with a network. */
  isOpen(partition: string): boolean {
    const { signal, host } = this.#pipeline;
    return (
      !signal.aborted &&
      !this.#isRetired &&
      host.connectivity.state &&
      !this.#paused.has(partition) &&
      currentPartition(this.#pipeline) === partition
    );
  }

  /** Whether another outbox of this name sends the entries. */
  retire(isRetired: boolean): void {
    this.#isRetired = isRetired;
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
