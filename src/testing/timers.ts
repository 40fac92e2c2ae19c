/** A timer of the virtual clock. */
export interface Timer {
  /** In ticks. */
  readonly at: number;
  readonly ms: number;
  readonly task: () => void;
  /** Tells apart timers of the same time: the older goes first. */
  readonly order: number;
  /** Cancelled, or fired. */
  over: boolean;
}

/** Timers in the order of their time: a binary heap, so that a simulation of many clients stays quick. */
export class Timers {
  readonly #heap: Timer[] = [];

  add(timer: Timer): void {
    const heap = this.#heap;
    let at = heap.push(timer) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (!this.#swapped(parent, at)) return;
      at = parent;
    }
  }

  /** The next timer. Cancelled ones are skipped here, as finding them in the heap would cost more. */
  first(): Timer | undefined {
    while (this.#heap[0]?.over) this.#drop();
    return this.#heap[0];
  }

  #drop(): void {
    const heap = this.#heap;
    const last = heap.pop() as Timer;
    if (heap.length === 0) return;
    heap[0] = last;
    for (let at = 0; ; ) {
      const left = 2 * at + 1;
      if (left >= heap.length) return;
      const child = left + 1 < heap.length && earlier(heap[left + 1], heap[left]) ? left + 1 : left;
      if (!this.#swapped(at, child)) return;
      at = child;
    }
  }

  /** Puts two in order, the first above. */
  #swapped(above: number, below: number): boolean {
    const heap = this.#heap;
    if (!earlier(heap[below], heap[above])) return false;
    [heap[above], heap[below]] = [heap[below] as Timer, heap[above] as Timer];
    return true;
  }
}

/** Whether `one` goes before `other`. */
export const earlier = (one: Timer | undefined, other: Timer | undefined): boolean =>
  one !== undefined &&
  (other === undefined || one.at < other.at || (one.at === other.at && one.order < other.order));
