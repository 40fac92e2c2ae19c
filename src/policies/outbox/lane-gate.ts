import type { PipelineContext } from '../../core/contract.ts';
import { withDeadline } from '../../primitives/clock.ts';
import type { PendingEntry } from './entry-reader.ts';
import type { SendGate } from './gate.ts';
import type { Lease } from './lease.ts';
import { STORE_TIMEOUT } from './options.ts';
import { isPaused, readPauses } from './pauses.ts';
import type { Queue } from './queue.ts';

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
