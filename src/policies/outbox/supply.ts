import { withDeadline } from '../../core/clock.ts';
import type { PipelineContext } from '../../core/contract.ts';
import type { WholeEntry } from './entry.ts';
import { STORE_PATIENCE } from './options.ts';
import type { Queue } from './queue.ts';

/** How many entries are read together at the most. Often there is but one, or it is not due: so the first comes by itself. */
const PAGE = 100;
const GROWTH = 4;

/** For so long, in ms, what was read is taken to be still so: about as long as it takes to hear of another tab. */
const FRESH = 50;

/** An entry that is to be sent. */
export interface Supplied extends WholeEntry {
  /** As far as is known here it has not come to its end. */
  isLeft(): boolean;
  /** The same, and the store has it as it was read; where that was just now, it is not asked. */
  isThere(): Promise<boolean>;
}

/** The entries of a lane, in order, read a page at a time. */
export class Supply {
  readonly #queue: Queue;
  readonly #pipeline: PipelineContext;
  readonly #of: { readonly partition: string; readonly lane: string };
  #page: readonly WholeEntry[] = [];
  #at = 0;
  #readAt = 0;
  #after = '';
  #limit = 1;
  #isOver = false;
  /** What has gone since the page was asked for. */
  readonly #gone = new Set<string>();

  constructor(
    queue: Queue,
    pipeline: PipelineContext,
    of: { readonly partition: string; readonly lane: string },
  ) {
    this.#queue = queue;
    this.#pipeline = pipeline;
    this.#of = of;
  }

  async next(): Promise<Supplied | undefined> {
    for (;;) {
      if (this.#at >= this.#page.length || this.#isOld()) await this.#read();
      const stored = this.#page[this.#at++];
      if (!stored) return undefined;
      this.#after = stored.entry.key;
      if (!this.#gone.has(stored.entry.key)) return this.#supplied(stored);
    }
  }

  /** An entry has come to its end. */
  drop(key: string): void {
    this.#gone.add(key);
  }

  /** One that had come to its end waits again, before what is behind it. */
  revived(): void {
    this.#isOver = true;
  }

  /** What is at hand is not the order of the lane any more. */
  get isOver(): boolean {
    return this.#isOver;
  }

  /** Begins again with what is now the first. */
  rewind(): void {
    this.#page = [];
    this.#after = '';
    this.#limit = 1;
    this.#isOver = false;
  }

  #supplied(stored: WholeEntry): Supplied {
    const { clock } = this.#pipeline.host;
    const { entry } = stored;
    let seenAt = this.#readAt;
    const isLeft = (): boolean => !this.#gone.has(entry.key);
    return {
      ...stored,
      isLeft,
      isThere: async () => {
        if (clock.ticks() - seenAt <= FRESH) return isLeft();
        const asked = clock.ticks();
        if (!(await withDeadline(STORE_PATIENCE, this.#pipeline, this.#queue.has(entry)))) return false;
        seenAt = asked;
        return isLeft();
      },
    };
  }

  #isOld(): boolean {
    return this.#pipeline.host.clock.ticks() - this.#readAt > FRESH;
  }

  /** As many as can be sent before they would have to be asked for again, one by one. */
  #size(): number {
    if (this.#page.length === 0) return this.#limit;
    const size = this.#isOld() ? this.#at : this.#page.length * GROWTH;
    return Math.min(PAGE, Math.max(1, size));
  }

  async #read(): Promise<void> {
    const { partition, lane } = this.#of;
    this.#gone.clear();
    this.#limit = this.#size();
    this.#readAt = this.#pipeline.host.clock.ticks();
    const reading = this.#queue.next(partition, lane, this.#after, this.#limit);
    this.#page = await withDeadline(STORE_PATIENCE, this.#pipeline, reading);
    this.#at = 0;
  }
}
