/** So many are remembered one by one. */
const REMEMBERED = 1_000;

/** Counts what happens, so that moments of several kinds can be compared. */
export interface Counter {
  moment: number;
}

/** Places where something happened lately: what was begun before that must not undo it. */
export class Recent {
  readonly #counter: Counter;
  /** Of what happened until then only this is known. */
  #blurred = 0;
  readonly #marks = new Map<string, number>();

  constructor(counter: Counter) {
    this.#counter = counter;
  }

  mark(place: string): void {
    this.#marks.delete(place);
    this.#marks.set(place, ++this.#counter.moment);
    if (this.#marks.size <= REMEMBERED) return;
    const [oldest, at] = this.#marks.entries().next().value as [string, number];
    this.#marks.delete(oldest);
    this.#blurred = at;
  }

  /** When it happened last, or perhaps happened, at one of these. */
  last(places: readonly string[]): number {
    return Math.max(this.#blurred, ...places.map((place) => this.#marks.get(place) ?? 0));
  }

  /** Whether it happened, or perhaps happened, at one of these after a moment. */
  since(moment: number, places: readonly string[]): boolean {
    return this.last(places) > moment;
  }
}
