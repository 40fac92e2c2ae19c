import type { PipelineContext } from '../../../core/contract.ts';
import { currentPartition } from '../../../core/user.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { STORE_TIMEOUT } from '../options.ts';
import type { PendingEntry } from '../queue/entry-reader.ts';
import type { Lease } from '../queue/lease.ts';
import type { Queue } from '../queue/queue.ts';
import { isPaused, readPauses } from './pauses.ts';

/** How many paused partitions are remembered: other tabs broadcast theirs. A forgotten one gets another 401. */
const MAX_PAUSED = 1_000;

/** Whether entries of a user may be sent at all. */
export class SendGate {
  readonly #pipeline: PipelineContext;
  /** Partitions with refused credentials. */
  readonly #paused = new Set<string>();
  #changes = 0;
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

  /** Another outbox of this name sends the entries. */
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

  /** Grows with each change of pauses: a worker then reads them again. */
  get version(): number {
    return this.#changes;
  }

  /** Pauses or stopped lanes have changed. */
  changed(): void {
    this.#changes++;
  }
}

/**
 * Decides whether a lane may send: before each entry, and again right before the request goes out, as hooks, slots and policies may
 * have taken long.
 */
export class LaneGate {
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #gate: SendGate;
  readonly #of: { readonly partition: string; readonly lane: string };
  readonly #isStopped: () => boolean;
  readonly #lease: Lease | undefined;
  #isHeld = false;
  /** The version of the pauses when `#isHeld` was read. */
  #known = -1;

  constructor(
    pipeline: PipelineContext,
    queue: Queue,
    gate: SendGate,
    of: { readonly partition: string; readonly lane: string },
    isStopped: () => boolean,
    lease: Lease | undefined,
  ) {
    this.#pipeline = pipeline;
    this.#queue = queue;
    this.#gate = gate;
    this.#of = of;
    this.#isStopped = isStopped;
    this.#lease = lease;
  }

  /** Whether the next entry may be read. */
  async canSendNext(): Promise<boolean> {
    const { partition, lane } = this.#of;
    while (this.#isOpen && this.#known !== this.#gate.version) {
      this.#known = this.#gate.version;
      this.#isHeld = isPaused(
        await withDeadline(STORE_TIMEOUT, this.#pipeline, readPauses(this.#queue.records, partition)),
        lane,
      );
    }
    return this.#isOpen && !this.#isHeld;
  }

  /** Whether this entry may still be sent. If anything has changed, it may not, and the lane is read again. */
  canStillSend({ entry, isPending }: PendingEntry): boolean {
    return (
      this.#isOpen &&
      this.#known === this.#gate.version &&
      isPending() &&
      this.#pipeline.host.clock.now() < entry.expiresAt
    );
  }

  get #isOpen(): boolean {
    return this.#gate.isOpen(this.#of.partition) && !this.#isStopped() && !this.#lease?.lost;
  }
}
