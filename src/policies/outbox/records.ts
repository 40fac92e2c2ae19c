import type { AtomicStore, Change, Item } from '../../core/store.ts';
import { type EntryRecord, RecordEncryption } from './encryption.ts';
import type { OutboxEntry } from './entry.ts';
import { OutboxKeys } from './keys.ts';
import type { OutboxSettings } from './options.ts';

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
