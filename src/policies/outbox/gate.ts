import type { PipelineContext } from '../../core/contract.ts';
import { currentPartition } from '../../core/signed-in.ts';

/** Partitions are remembered up to so many: other tabs tell of them, too. One that is dropped is refused once more. */
const MAX_PAUSED = 1_000;

/** Whether anything of a user may be sent at all. */
export class Gate {
  readonly #pipeline: PipelineContext;
  /** Partitions whose credentials were refused. */
  readonly #paused = new Set<string>();
  #changes = 0;
  #isRetired = false;

  constructor(pipeline: PipelineContext) {
    this.#pipeline = pipeline;
  }

  /** Only the current user's, and only with a network. */
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

  /** Another outbox of this name sends what waits. */
  retire(): void {
    this.#isRetired = true;
    this.changed();
  }

  /** That outbox was closed. */
  reclaim(): void {
    this.#isRetired = false;
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

  /** Grows when the application pauses something or goes on: what is known of that has to be read again. */
  get changes(): number {
    return this.#changes;
  }

  /** What is paused has changed, or what is stopped. */
  changed(): void {
    this.#changes++;
  }
}
