/**
 * Just after a circuit has closed, few calls are in flight at a time: one more for each that succeeds. `freeAt` holds the others
 * back.
 */
export class SlowStart {
  /** In ticks. A call that never ends does not keep its slot for longer. */
  readonly endsAt: number;
  /** The stamps of the calls that it counts. */
  readonly #inFlight = new Set<number>();
  #slots: number;

  constructor(slots: number, endsAt: number) {
    this.#slots = slots;
    this.endsAt = endsAt;
  }

  get isFull(): boolean {
    return this.#inFlight.size >= this.#slots;
  }

  take(stamp: number): void {
    this.#inFlight.add(stamp);
  }

  release(stamp: number): void {
    this.#inFlight.delete(stamp);
  }

  grow(): void {
    this.#slots++;
  }
}
