/** So many are remembered one by one. */
const REMEMBERED = 1_000;

/** What was forgotten lately: an answer that was asked for before that must not be kept after it. */
export class Forgetting {
  /** Grows with everything that is forgotten. */
  #moment = 0;
  /** Of what was forgotten until then only this is known. */
  #blurred = 0;
  readonly #marks = new Map<string, number>();

  get moment(): number {
    return this.#moment;
  }

  mark(prefix: string): void {
    this.#marks.delete(prefix);
    this.#marks.set(prefix, ++this.#moment);
    if (this.#marks.size <= REMEMBERED) return;
    const [oldest, at] = this.#marks.entries().next().value as [string, number];
    this.#marks.delete(oldest);
    this.#blurred = at;
  }

  /** Whether one of these, or perhaps one of these, was forgotten after a moment. */
  since(moment: number, prefixes: readonly string[]): boolean {
    return this.#blurred > moment || prefixes.some((prefix) => (this.#marks.get(prefix) ?? 0) > moment);
  }
}
