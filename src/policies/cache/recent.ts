/** So many are remembered one by one. */
const REMEMBERED = 1_000;

/** Places where something happened lately: what was begun before that must not undo it. */
export class Recent {
  /** Grows with everything that happens. */
  #moment = 0;
  /** Of what happened until then only this is known. */
  #blurred = 0;
  readonly #marks = new Map<string, number>();

  get moment(): number {
    return this.#moment;
  }

  mark(place: string): void {
    this.#marks.delete(place);
    this.#marks.set(place, ++this.#moment);
    if (this.#marks.size <= REMEMBERED) return;
    const [oldest, at] = this.#marks.entries().next().value as [string, number];
    this.#marks.delete(oldest);
    this.#blurred = at;
  }

  /** Whether it happened, or perhaps happened, at one of these after a moment. */
  since(moment: number, places: readonly string[]): boolean {
    return this.#blurred > moment || places.some((place) => (this.#marks.get(place) ?? 0) > moment);
  }
}
