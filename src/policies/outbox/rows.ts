import type { AtomicStore, Change, Item } from '../../core/store.ts';
import type { OutboxEntry } from './entry.ts';
import type { OutboxSettings } from './options.ts';
import { Packing, type Row } from './packing.ts';
import { Places } from './places.ts';

/** What waits, of all users, and the stamp that was given last. */
export interface Totals {
  readonly count: number;
  readonly bytes: number;
  readonly stamp: number;
}

export const NONE: Totals = { count: 0, bytes: 0, stamp: 0 };

/** The right to change what waits in a lane, where leases are needed: whoever has lost it changes nothing more. */
export interface Fence {
  readonly key: string;
  readonly token: number;
  readonly holder: string;
}

/** What was found under a key when a change was decided. */
export type Get = <T>(key: string) => T | undefined;

type Sized = Pick<Row, 'state' | 'size'>;

/** The records of one outbox: where they lie, how they are written, and how they are changed as one. */
export class Rows {
  readonly store: AtomicStore;
  readonly places: Places;
  readonly packing: Packing;

  constructor(name: string, { store, encryption }: Pick<OutboxSettings, 'store' | 'encryption'>) {
    this.store = store;
    this.places = new Places(name);
    this.packing = new Packing(encryption);
  }

  async row(key: string): Promise<Row | undefined> {
    return (await this.store.get(key))?.value as Row | undefined;
  }

  item(row: Row): Item<Row> {
    const { key, state, partition, lane } = row;
    return {
      key,
      group: this.places.lane(state, partition, lane),
      collection: this.places.of(state, partition),
      value: row,
    };
  }

  /** What waits after entries have come or gone. */
  counted(get: Get, before: readonly Sized[], after: readonly Sized[]): Change[] {
    const waiting = (rows: readonly Sized[]): readonly Sized[] =>
      rows.filter(({ state }) => state === 'waiting');
    const [gone, come] = [waiting(before), waiting(after)];
    if (gone.length === come.length) return [];
    const bytesOf = (rows: readonly Sized[]): number => rows.reduce((sum, { size }) => sum + size, 0);
    const { count, bytes, stamp } = get<Totals>(this.places.totals) ?? NONE;
    const value: Totals = {
      count: count + come.length - gone.length,
      bytes: bytes + bytesOf(come) - bytesOf(gone),
      stamp,
    };
    return [{ put: { key: this.places.totals, value } }];
  }

  /** What waits after an entry has gone, of which that could not be written. */
  uncount(entry: OutboxEntry): Promise<void> {
    return this.change([this.places.totals], false, (get) => ({
      changes: this.counted(get, [entry], []),
      result: undefined,
    }));
  }

  aliases({ id, aliases = [], partition }: Pick<Row, 'id' | 'aliases' | 'partition'>): Change[] {
    return [id, ...aliases].map((each) => ({ delete: this.places.alias(partition, each) }));
  }

  /** An atomic change, in which what was found is asked for by its key. */
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

/** The entry of then, with the content of then. */
export const isOf = (found: Row | undefined, { revision, state }: OutboxEntry): found is Row =>
  found !== undefined && found.revision === revision && found.state === state;

/** Whether what is to be changed may still be. */
export function holds(fence: Fence | undefined, get: Get): boolean {
  const row = fence && get<Pick<Fence, 'token' | 'holder'>>(fence.key);
  return row?.token === fence?.token && row?.holder === fence?.holder;
}
