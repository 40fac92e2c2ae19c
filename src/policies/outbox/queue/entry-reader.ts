import type { PipelineContext } from '../../../core/contract.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { STORE_TIMEOUT } from '../options.ts';
import type { EntryWithBody } from './entry.ts';
import type { Queue } from './queue.ts';

/** The largest page. The first page is one entry, as often there is but one, or it is not due. */
const PAGE = 100;
const GROWTH = 4;

/** How long a page is taken as current, in ms: about as long as a message of another tab takes. */
const FRESH = 50;

/** An entry to send. */
export interface PendingEntry extends EntryWithBody {
  /** It has not ended, as far as this page knows. */
  isPending(): boolean;
  /** The same, and the store has this revision; not read again within `FRESH`. */
  isStillStored(): Promise<boolean>;
}

/** The entries of a lane, in order, read a page at a time. */
export class EntryReader {
  readonly #queue: Queue;
  readonly #pipeline: PipelineContext;
  readonly #of: { readonly partition: string; readonly lane: string };
  #page: readonly EntryWithBody[] = [];
  #at = 0;
  #readAt = 0;
  #after = '';
  #limit = 1;
  #isInvalidated = false;
  /** Keys of entries that ended since the page was read. */
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

  async next(): Promise<PendingEntry | undefined> {
    for (;;) {
      if (this.#at >= this.#page.length || this.#isOld()) await this.#read();
      const stored = this.#page[this.#at++];
      if (!stored) return undefined;
      this.#after = stored.entry.key;
      if (!this.#gone.has(stored.entry.key)) return this.#pendingEntry(stored);
    }
  }

  /** An entry has ended. */
  drop(key: string): void {
    this.#gone.add(key);
  }

  /** A requeued entry goes before later ones: the page is not the order of the lane any more. */
  invalidate(): void {
    this.#isInvalidated = true;
  }

  /** The page is not the order of the lane any more. */
  get isInvalidated(): boolean {
    return this.#isInvalidated;
  }

  /** Starts again at the head of the lane. */
  reset(): void {
    this.#page = [];
    this.#after = '';
    this.#limit = 1;
    this.#isInvalidated = false;
  }

  #pendingEntry(stored: EntryWithBody): PendingEntry {
    const { clock } = this.#pipeline.host;
    const { entry } = stored;
    let seenAt = this.#readAt;
    const isPending = (): boolean => !this.#gone.has(entry.key);
    return {
      ...stored,
      isPending,
      isStillStored: async () => {
        if (clock.ticks() - seenAt <= FRESH) return isPending();
        const asked = clock.ticks();
        if (!(await withDeadline(STORE_TIMEOUT, this.#pipeline, this.#queue.has(entry)))) return false;
        seenAt = asked;
        return isPending();
      },
    };
  }

  #isOld(): boolean {
    return this.#pipeline.host.clock.ticks() - this.#readAt > FRESH;
  }

  /** As many as can be sent before the page is outdated. */
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
    this.#page = await withDeadline(STORE_TIMEOUT, this.#pipeline, reading);
    this.#at = 0;
  }
}
