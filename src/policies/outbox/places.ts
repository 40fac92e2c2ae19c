import type { OutboxEntry } from './entry.ts';

const enc = encodeURIComponent;

/** Where everything of one outbox lies in its store: keys, and the groups and collections that can be listed. */
export class Places {
  readonly #name: string;
  /** What waits, of all users, and the stamp that was given last. */
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

  /** Before all entries that are accepted under this stamp or a later one, and after those before. */
  from(stamp: number): string {
    return this.entry(sortable(stamp));
  }

  /** The entry that an id which was given belongs to. */
  alias(partition: string, id: string): string {
    return `id ${this.#name} ${enc(partition)} ${enc(id)}`;
  }

  /** All that ids of one user were given for. */
  ids(partition: string): string {
    return `ids ${this.#name} ${enc(partition)}`;
  }

  /** The entry into which writes of one `key` are merged. */
  unsent(partition: string, lane: string, key: string): string {
    return `key ${this.#name} ${enc(partition)} ${enc(lane)} ${enc(key)}`;
  }

  /** The answer to the entry of a key. */
  result(key: string): string {
    return RESULT + key;
  }

  get results(): string {
    return this.result(this.entry(''));
  }

  /** The answers of one user. */
  settled(partition: string): string {
    return `settled ${this.#name} ${enc(partition)}`;
  }

  /** What is paused or stopped of one user. */
  holds(partition: string): string {
    return `hold ${this.#name} ${enc(partition)}`;
  }

  /** Who sends a lane, where nothing else can tell. */
  lease(partition: string, lane: string): { readonly key: string; readonly collection: string } {
    const collection = this.leases(partition);
    return { key: `${collection} ${enc(lane)}`, collection };
  }

  leases(partition: string): string {
    return `lease ${this.#name} ${enc(partition)}`;
  }

  /** What the lanes of all users in which something waits begin with. */
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

/** What ids that are made begin with: in the order of the stamps. */
export const sortable = (stamp: number): string => stamp.toString(36).padStart(9, '0');

const RESULT = 'result ';

/** The key of the entry that an answer belongs to. */
export const ownerOf = (result: string): string => result.slice(RESULT.length);
