import { withDeadline } from '../../core/clock.ts';
import type { PipelineContext } from '../../core/contract.ts';
import type { Gate } from './gate.ts';
import { holdsOf, isHeld } from './holds.ts';
import type { Lease } from './lease.ts';
import { STORE_PATIENCE } from './options.ts';
import type { Queue } from './queue.ts';
import type { Supplied } from './supply.ts';

/**
 * Whether a lane may be sent. It is asked for before each entry; and as an entry may have to wait for its turn, for hooks and
 * policies, right before it goes over the wire once more whether all that it was given by still holds.
 */
export class Permit {
  readonly #pipeline: PipelineContext;
  readonly #queue: Queue;
  readonly #gate: Gate;
  readonly #of: { readonly partition: string; readonly lane: string };
  readonly #isStopped: () => boolean;
  readonly #lease: Lease | undefined;
  #isHeld = false;
  /** What the gate said when `#isHeld` was read. */
  #known = -1;

  constructor(
    pipeline: PipelineContext,
    queue: Queue,
    gate: Gate,
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

  /** Whether the next may be looked at. */
  async given(): Promise<boolean> {
    const { partition, lane } = this.#of;
    while (this.#isOpen && this.#known !== this.#gate.changes) {
      this.#known = this.#gate.changes;
      this.#isHeld = isHeld(
        await withDeadline(STORE_PATIENCE, this.#pipeline, holdsOf(this.#queue.rows, partition)),
        lane,
      );
    }
    return this.#isOpen && !this.#isHeld;
  }

  /** Whether it still holds for this one. Where anything has changed it does not, and all is to be looked at anew. */
  holdsFor({ entry, isLeft }: Supplied): boolean {
    return (
      this.#isOpen &&
      this.#known === this.#gate.changes &&
      isLeft() &&
      this.#pipeline.host.clock.now() < entry.expiresAt
    );
  }

  get #isOpen(): boolean {
    return this.#gate.isOpen(this.#of.partition) && !this.#isStopped() && !this.#lease?.lost;
  }
}
