import {
  type AtomicStore,
  type Change,
  changeOf,
  type Decision,
  type Item,
  isAtomic,
  type Store,
} from '../../core/store.ts';
import { isRow, type Row, USED } from './copy.ts';
import { COPIES } from './place.ts';

/** How many copies there are, and bytes in their bodies. */
export interface Usage {
  readonly entries: number;
  readonly bytes: number;
}

/** Written with every change, so that nobody has to read the copies to know. */
const TOTAL = 'copies total';

/** So many are looked at, at a time. */
const PAGE = 64;

/** Changes copies and keeps their number and bytes within limits; what was used longest ago goes first. */
export class Limits {
  readonly #store: Store | AtomicStore;
  readonly #most: Usage;
  readonly #evicted: (keys: readonly string[]) => void;
  #total: Usage = { entries: 0, bytes: 0 };

  /** @param evicted Told what had to go. */
  constructor(store: Store, most: Usage, evicted: (keys: readonly string[]) => void) {
    this.#store = store;
    this.#most = most;
    this.#evicted = evicted;
  }

  /** Known without looking since the last change of this tab; others may have changed it. */
  get total(): Usage {
    return this.#total;
  }

  /** Reads the total; where there is none the copies are those of an older version, and go. */
  async open(): Promise<void> {
    const found = await this.#store.get(TOTAL);
    if (found && isUsage(found.value)) {
      this.#total = found.value;
      return;
    }
    await this.recount();
  }

  /** Counts anew: somebody has changed copies and not said so. */
  async recount(): Promise<void> {
    const items = await this.#store.range({ prefix: COPIES });
    const old = items.filter(({ value }) => !isRow(value));
    this.#total = sum(items.filter(({ value }) => isRow(value)));
    await this.#store.write([
      ...old.map(({ key }) => ({ delete: key })),
      { put: { key: TOTAL, value: this.#total } },
    ]);
  }

  /** As `store.change`; what comes and goes is counted. */
  change<T>(
    keys: readonly string[],
    decide: (found: readonly (Item | undefined)[]) => Decision<T>,
  ): Promise<T> {
    const counted = (found: readonly (Item | undefined)[]): Decision<{ result: T; total: Usage }> => {
      const items = found.slice(0, -1);
      const before = found.at(-1)?.value;
      const { changes, result } = decide(items);
      const after = changes.flatMap((change) => ('put' in change ? [change.put] : []));
      const touched = new Set(changes.map((change) => ('put' in change ? change.put.key : change.delete)));
      const total = plus(
        isUsage(before) ? before : { entries: 0, bytes: 0 },
        sum(after),
        sum(items.filter((item) => item !== undefined).filter(({ key }) => touched.has(key))),
      );
      const count: Change[] = changes.length ? [{ put: { key: TOTAL, value: total } }] : [];
      return { changes: [...changes, ...count], result: { result, total } };
    };
    return changeOf(this.#store, [...keys, TOTAL], counted).then(({ result, total }) => {
      this.#total = total;
      return result;
    });
  }

  /** Deletes what is still there of these. @returns what has gone. */
  delete(keys: readonly string[]): Promise<Usage> {
    return this.change(keys, (found) => {
      const there = found.filter((item) => item !== undefined);
      return { changes: there.map(({ key }) => ({ delete: key })), result: sum(there) };
    });
  }

  /** Makes room where there is too much. @param spared The copy for which it is made. @returns what had to go. */
  async within(spared?: string): Promise<Usage> {
    const { entries, bytes } = this.#most;
    return this.#shrinkTo({ entries, bytes }, spared);
  }

  /** A full disk: a quarter has to go, be it within the limits or not. */
  async giveUpAQuarter(): Promise<Usage> {
    const { entries, bytes } = this.#total;
    return this.#shrinkTo({ entries: entries - Math.ceil(entries / 4), bytes: Math.floor((bytes * 3) / 4) });
  }

  async #shrinkTo(most: Usage, spared?: string): Promise<Usage> {
    let gone: Usage = { entries: 0, bytes: 0 };
    const tooMuch = (): boolean => this.#total.entries > most.entries || this.#total.bytes > most.bytes;
    while (tooMuch()) {
      const victims: string[] = [];
      let left = this.#total;
      for (const { key, value } of await this.#oldest(spared)) {
        if (left.entries <= most.entries && left.bytes <= most.bytes) break;
        victims.push(key);
        left = plus(left, undefined, { entries: 1, bytes: value.size });
      }
      if (victims.length === 0) {
        // There is less than was thought.
        await this.recount();
        break;
      }
      this.#evicted(victims);
      gone = plus(gone, await this.delete(victims));
    }
    return gone;
  }

  /** Some of those that were used longest ago, in order, but the one that is to be spared. */
  async #oldest(spared: string | undefined): Promise<Item<Row>[]> {
    const store = this.#store;
    const queries = isAtomic(store)
      ? (await store.groups(USED, 2)).map((group) => ({ group, limit: PAGE }))
      : [{ prefix: COPIES }];
    for (const query of queries) {
      const items = await store.range(query);
      const rows = items.filter((item): item is Item<Row> => isRow(item.value) && item.key !== spared);
      if (rows.length > 0) return rows.sort((a, b) => a.value.usedAt - b.value.usedAt);
    }
    return [];
  }
}

export const sum = (items: readonly Item[]): Usage => ({
  entries: items.length,
  bytes: items.reduce((bytes, { value }) => bytes + (isRow(value) ? value.size : 0), 0),
});

/** Never below nothing: what others have deleted behind our back is not owed. */
const plus = (to: Usage, more?: Usage, less?: Usage): Usage => ({
  entries: Math.max(0, to.entries + (more?.entries ?? 0) - (less?.entries ?? 0)),
  bytes: Math.max(0, to.bytes + (more?.bytes ?? 0) - (less?.bytes ?? 0)),
});

function isUsage(value: unknown): value is Usage {
  const usage = value as Partial<Usage> | undefined;
  return typeof usage === 'object' && Number.isFinite(usage?.entries) && Number.isFinite(usage?.bytes);
}
