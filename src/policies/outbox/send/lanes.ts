import type { PipelineContext } from '../../../core/contract.ts';

/** The longest timer, in ms: wall time may jump while the machine sleeps. */
const LONGEST_TIMER = 3_600_000;

/** How many timers messages of other tabs may set. */
const MAX_TIMERS = 1_000;

/** A lane of a partition. */
export interface Lane {
  readonly partition: string;
  readonly lane: string;
  /** Both as one name. */
  readonly name: string;
}

export const laneOf = (partition: string, lane: string): Lane => ({
  partition,
  lane,
  name: `${encodeURIComponent(partition)} ${encodeURIComponent(lane)}`,
});

/** One timer per lane: when to look at it again. */
export class LaneTimers {
  readonly #pipeline: PipelineContext;
  readonly #due: (of: Lane) => void;
  readonly #timers = new Map<string, () => void>();

  constructor(pipeline: PipelineContext, due: (of: Lane) => void) {
    this.#pipeline = pipeline;
    this.#due = due;
    pipeline.signal.addEventListener('abort', () => this.#stop(), { once: true });
  }

  get isFull(): boolean {
    return this.#timers.size >= MAX_TIMERS;
  }

  has({ name }: Lane): boolean {
    return this.#timers.has(name);
  }

  /** Replaces an earlier timer. */
  set(of: Lane, ms: number): void {
    this.clear(of);
    if (this.#pipeline.signal.aborted) return;
    const wait = Math.min(Math.max(0, ms), LONGEST_TIMER);
    const { clock } = this.#pipeline.host;
    this.#timers.set(
      of.name,
      clock.after(wait, () => this.#due(of), { background: true }),
    );
  }

  clear({ name }: Lane): void {
    this.#timers.get(name)?.();
    this.#timers.delete(name);
  }

  #stop(): void {
    for (const cancel of this.#timers.values()) cancel();
    this.#timers.clear();
  }
}
