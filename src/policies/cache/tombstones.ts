import type { Store } from '../../core/store.ts';
import type { Copy } from './entry.ts';

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

const MARKS = 'copies cleared ';

/** No request takes longer, so after this nothing comes that was asked for before. In ms. */
const KEPT = 86_400_000;

/** So many partitions are remembered one by one. */
const MAX_MARKS = 1_000;

/**
 * When partitions were cleared. It is written, because what was asked for before a logout may be kept after it by a tab
 * that has not heard of it and is closed before it does: such a copy is never served.
 */
export class Cleared {
  readonly #store: Store;
  /** Wall times in ms by partition; `ALL` for all. */
  readonly #marks = new Map<string, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  async open(now: number): Promise<void> {
    const items = await this.#store.range({ prefix: MARKS });
    for (const { key, value } of items) this.heard(key.slice(MARKS.length), Number(value));
    await this.#prune(now);
  }

  async #prune(now: number): Promise<void> {
    const over = [...this.#marks].filter(([, at]) => !(at > now - KEPT));
    for (const [name] of over) this.#marks.delete(name);
    if (over.length) await this.#store.write(over.map(([name]) => ({ delete: MARKS + name })));
  }

  /** @param name As it is written. */
  async mark(name: string, at: number): Promise<void> {
    this.heard(name, at);
    await this.#store.write([{ put: { key: MARKS + name, value: at } }]);
    await this.#prune(at);
  }

  heard(name: string, at: number): void {
    this.#marks.set(name, Math.max(at, this.#marks.get(name) ?? -Infinity));
    if (this.#marks.size <= MAX_MARKS) return;
    // Other tabs tell of partitions, too. What is known of the oldest one is known of all from now on.
    const [oldest, since] = [...this.#marks].find(([each]) => each !== ALL) as [string, number];
    this.#marks.delete(oldest);
    this.heard(ALL, since);
  }

  /** Whether a copy was asked for before its partition was cleared. */
  covers(name: string, { requestedAt }: Copy, now: number): boolean {
    return [name, ALL].some((each) => {
      const at = this.#marks.get(each) ?? -Infinity;
      // One from the future is of a clock that was wrong: nothing would be given until it comes.
      if (at > now) this.#marks.set(each, now);
      return requestedAt < Math.min(at, now);
    });
  }
}

/** The name of a partition ends with a space. */
export const ALL = 'everybody';
