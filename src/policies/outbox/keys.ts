import type { OutboxEntry } from './entry.ts';

const enc = encodeURIComponent;

/** The keys of one outbox in its store, and the groups and collections that can be listed. */
export class OutboxKeys {
  readonly #name: string;
  /** Waiting entries of all users, and the last timestamp. */
  readonly totals: string;

  /** @param name Of the pipeline. */
  constructor(name: string) {
    this.#name = enc(name);
    this.totals = `totals ${this.#name}`;
  }

  /** Sorts by the time of acceptance. */
  entry(id: string): string {
    return `entry ${this.#name} ${id}`;
  }

  /** Sorts before all entries of this timestamp or a later one, and after all earlier ones. */
  from(lastTimestamp: number): string {
    return this.entry(sortableTimestamp(lastTimestamp));
  }

  /** Points from an id to its entry. */
  alias(partition: string, id: string): string {
    return `id ${this.#name} ${enc(partition)} ${enc(id)}`;
  }

  /** The ids of one user. */
  ids(partition: string): string {
    return `ids ${this.#name} ${enc(partition)}`;
  }

  /** Points from a `coalesce` key to its unsent entry. */
  unsent(partition: string, lane: string, key: string): string {
    return `key ${this.#name} ${enc(partition)} ${enc(lane)} ${enc(key)}`;
  }

  /** The result of the entry with this key. */
  result(key: string): string {
    return RESULT + key;
  }

  get results(): string {
    return this.result(this.entry(''));
  }

  /** The results of one user. */
  settled(partition: string): string {
    return `settled ${this.#name} ${enc(partition)}`;
  }

  /** The pauses and stopped lanes of one user. */
  pauses(partition: string): string {
    return `hold ${this.#name} ${enc(partition)}`;
  }

  /** The lease of a lane, for stores without another lock. */
  lease(partition: string, lane: string): { readonly key: string; readonly collection: string } {
    const collection = this.leases(partition);
    return { key: `${collection} ${enc(lane)}`, collection };
  }

  leases(partition: string): string {
    return `lease ${this.#name} ${enc(partition)}`;
  }

  /** The prefix of the lanes of all users with waiting entries. */
  get waiting(): string {
    return `waiting ${this.#name} `;
  }

  /** A lane: its entries in order. */
  lane(state: OutboxEntry['state'], partition: string, lane: string): string {
    return `${this.of(state, partition)} ${enc(lane)}`;
  }

  /** All lanes of a user, together. */
  of(state: OutboxEntry['state'], partition: string): string {
    return `${state} ${this.#name} ${enc(partition)}`;
  }
}

/** The begin of generated ids: sorts like the timestamps. */
export const sortableTimestamp = (lastTimestamp: number): string =>
  lastTimestamp.toString(36).padStart(9, '0');

const RESULT = 'result ';

/** The key of the entry that a result belongs to. */
export const entryKeyOfResult = (result: string): string => result.slice(RESULT.length);
