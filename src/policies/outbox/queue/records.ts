import type { AtomicStore, Change, Item } from '../../../core/store.ts';
import type { OutboxSettings } from '../options.ts';
import { type EntryRecord, RecordEncryption } from './encryption.ts';
import type { OutboxEntry } from './entry.ts';

/** The waiting entries of all users, and the last timestamp. */
export interface Totals {
  readonly count: number;
  readonly bytes: number;
  readonly lastTimestamp: number;
}

export const EMPTY_TOTALS: Totals = { count: 0, bytes: 0, lastTimestamp: 0 };

/** The right to change entries of a lane, if leases are needed: a holder that has lost it changes nothing more. */
export interface Fence {
  readonly key: string;
  readonly token: number;
  readonly holder: string;
}

/** The value of a key at the time of the change. */
export type Get = <T>(key: string) => T | undefined;

type Sized = Pick<EntryRecord, 'state' | 'size'>;

/** The records of one outbox: their keys, their encryption, and atomic changes. */
export class Records {
  readonly store: AtomicStore;
  readonly keys: OutboxKeys;
  readonly encryption: RecordEncryption;

  constructor(name: string, { store, encryption }: Pick<OutboxSettings, 'store' | 'encryption'>) {
    this.store = store;
    this.keys = new OutboxKeys(name);
    this.encryption = new RecordEncryption(encryption);
  }

  async read(key: string): Promise<EntryRecord | undefined> {
    return (await this.store.get(key))?.value as EntryRecord | undefined;
  }

  item(record: EntryRecord): Item<EntryRecord> {
    const { key, state, partition, lane } = record;
    return {
      key,
      group: this.keys.lane(state, partition, lane),
      collection: this.keys.of(state, partition),
      value: record,
    };
  }

  /** The change of the totals after entries were added or deleted. */
  adjustTotals(get: Get, before: readonly Sized[], after: readonly Sized[]): Change[] {
    const waiting = (records: readonly Sized[]): readonly Sized[] =>
      records.filter(({ state }) => state === 'waiting');
    const [gone, come] = [waiting(before), waiting(after)];
    if (gone.length === come.length) return [];
    const bytesOf = (records: readonly Sized[]): number => records.reduce((sum, { size }) => sum + size, 0);
    const { count, bytes, lastTimestamp } = get<Totals>(this.keys.totals) ?? EMPTY_TOTALS;
    const value: Totals = {
      count: count + come.length - gone.length,
      bytes: bytes + bytesOf(come) - bytesOf(gone),
      lastTimestamp,
    };
    return [{ put: { key: this.keys.totals, value } }];
  }

  /** Corrects the totals after an entry was deleted without them. */
  decrementTotals(entry: OutboxEntry): Promise<void> {
    return this.change([this.keys.totals], false, (get) => ({
      changes: this.adjustTotals(get, [entry], []),
      result: undefined,
    }));
  }

  aliases({ id, aliases = [], partition }: Pick<EntryRecord, 'id' | 'aliases' | 'partition'>): Change[] {
    return [id, ...aliases].map((each) => ({ delete: this.keys.alias(partition, each) }));
  }

  /** An atomic change that reads values by key. */
  change<T>(
    keys: readonly (string | undefined)[],
    strict: boolean,
    decide: (get: Get) => { changes: readonly Change[]; result: T },
  ): Promise<T> {
    const wanted = keys.filter((key) => key !== undefined);
    return this.store.change(
      wanted,
      (found) => {
        const byKey = new Map(wanted.map((key, at) => [key, found[at]]));
        return decide(<V>(key: string) => byKey.get(key)?.value as V | undefined);
      },
      { strict },
    );
  }
}

/** True if the stored record is still the revision that was read. */
export const isSameRevision = (
  found: EntryRecord | undefined,
  { revision, state }: OutboxEntry,
): found is EntryRecord => found !== undefined && found.revision === revision && found.state === state;

/** Whether the lane's lease is still ours. */
export function isFenceValid(fence: Fence | undefined, get: Get): boolean {
  const record = fence && get<Pick<Fence, 'token' | 'holder'>>(fence.key);
  return record?.token === fence?.token && record?.holder === fence?.holder;
}

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
