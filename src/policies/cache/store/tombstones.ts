import type { Store } from '../../../core/store.ts';
import type { StoredResponse } from './entry.ts';

/** How many generations are remembered one by one. */
const MAX_GENERATIONS = 1_000;

/** A counter of changes, shared by several `Generations`. */
export interface Epoch {
  epoch: number;
}

/** The generations of key prefixes: a write that began before a change must not undo it. */
export class Generations {
  readonly #counter: Epoch;
  /** Lower bound for evicted prefixes. */
  #floor = 0;
  readonly #marks = new Map<string, number>();

  constructor(counter: Epoch) {
    this.#counter = counter;
  }

  mark(place: string): void {
    this.#marks.delete(place);
    this.#marks.set(place, ++this.#counter.epoch);
    if (this.#marks.size <= MAX_GENERATIONS) return;
    const [oldest, at] = this.#marks.entries().next().value as [string, number];
    this.#marks.delete(oldest);
    this.#floor = at;
  }

  /** The last epoch of a change, or of a possible change, of one of these. */
  last(places: readonly string[]): number {
    return Math.max(this.#floor, ...places.map((place) => this.#marks.get(place) ?? 0));
  }

  /** Whether one of these changed, or may have changed, after an epoch. */
  since(epoch: number, places: readonly string[]): boolean {
    return this.last(places) > epoch;
  }
}

const MARKS = 'copies cleared ';

/** How long a tombstone is kept, in ms: no request takes longer. */
const TOMBSTONE_TTL = 86_400_000;

/** How many partitions are remembered one by one. */
const MAX_MARKS = 1_000;

/**
 * When partitions were cleared. Stored, because a tab that missed the message may store a response after a logout that it
 * requested before: such a response is never served.
 */
export class PartitionTombstones {
  readonly #store: Store;
  /** Wall times in ms by partition; `ALL` for all. */
  readonly #marks = new Map<string, number>();

  constructor(store: Store) {
    this.#store = store;
  }

  async open(now: number): Promise<void> {
    const items = await this.#store.range({ prefix: MARKS });
    for (const { key, value } of items) this.receive(key.slice(MARKS.length), Number(value));
    await this.#prune(now);
  }

  async #prune(now: number): Promise<void> {
    const over = [...this.#marks].filter(([, at]) => !(at > now - TOMBSTONE_TTL));
    for (const [name] of over) this.#marks.delete(name);
    if (over.length) await this.#store.write(over.map(([name]) => ({ delete: MARKS + name })));
  }

  /** @param name As it is written. */
  async mark(name: string, at: number): Promise<void> {
    this.receive(name, at);
    await this.#store.write([{ put: { key: MARKS + name, value: at } }]);
    await this.#prune(at);
  }

  receive(name: string, at: number): void {
    this.#marks.set(name, Math.max(at, this.#marks.get(name) ?? -Infinity));
    if (this.#marks.size <= MAX_MARKS) return;
    // Other tabs send partitions, too. The oldest tombstone holds for all from now on.
    const [oldest, since] = [...this.#marks].find(([each]) => each !== ALL) as [string, number];
    this.#marks.delete(oldest);
    this.receive(ALL, since);
  }

  /** Whether a response was requested before its partition was cleared. */
  covers(name: string, { requestedAt }: StoredResponse, now: number): boolean {
    return [name, ALL].some((each) => {
      const at = this.#marks.get(each) ?? -Infinity;
      // Clamp timestamps in the future (clock skew).
      if (at > now) this.#marks.set(each, now);
      return requestedAt < Math.min(at, now);
    });
  }
}

/** The name of a partition ends with a space. */
export const ALL = 'everybody';
