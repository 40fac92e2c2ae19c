/** A window slides by so many steps. */
const STEPS = 30;

/** Sums over the last so many ms, in memory that does not grow. */
export class SlidingWindow<Name extends string> {
  readonly ms: number;
  readonly #step: number;
  readonly #names: readonly Name[];
  readonly #sums: Float64Array;
  /** The number of the step that each place is for. */
  readonly #of = new Float64Array(STEPS).fill(-1);

  constructor(ms: number, names: readonly Name[]) {
    this.ms = ms;
    this.#step = ms / STEPS;
    this.#names = names;
    this.#sums = new Float64Array(STEPS * names.length);
  }

  /** @param now On a monotonic clock, in ms. */
  add(name: Name, now: number): void {
    const step = Math.floor(now / this.#step);
    const place = step % STEPS;
    const width = this.#names.length;
    if (this.#of[place] !== step) {
      this.#of[place] = step;
      this.#sums.fill(0, place * width, (place + 1) * width);
    }
    const at = place * width + this.#names.indexOf(name);
    this.#sums[at] = (this.#sums[at] as number) + 1;
  }

  /** The sums over the window, to within one step. */
  sums(now: number): Record<Name, number> {
    const last = Math.floor(now / this.#step);
    const sums = Object.fromEntries(this.#names.map((name) => [name, 0])) as Record<Name, number>;
    for (const [place, step] of this.#of.entries())
      if (step >= 0 && step > last - STEPS && step <= last)
        for (const [nth, name] of this.#names.entries())
          sums[name] += this.#sums[place * this.#names.length + nth] as number;
    return sums;
  }
}
