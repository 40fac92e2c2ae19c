import { isQuotaExceeded } from '../../core/full.ts';
import {
  type AtomicStore,
  type Change,
  changeOf,
  type Item,
  isAtomic,
  type Store,
  type Transaction,
} from '../../core/store.ts';
import { COPIES, isRow, type Row, USED } from './entry.ts';

/** How many copies there are, and bytes in their bodies. */
export interface Usage {
  readonly entries: number;
  readonly bytes: number;
}

/** Written with every change, so that nobody has to read the copies to know. */
const TOTAL = 'copies total';

/** So many are looked at, at least: bytes may be what there are too many of. */
const LEAST = 8;

/** So many seconds, in which copies were used last. */
const GROUPS = 16;

/** In a store without atomic changes, one of so many copies that are stored makes for a new count. */
const UNSURE = 20;

/** So often it is tried to count while others store. */
const RECOUNTS = 5;

export interface LimitsOptions {
  readonly most: Usage;
  /** Whether copies are written with a codec. */
  readonly sealed: boolean;
  /** Told what had to go. */
  readonly evicted: (keys: readonly string[]) => void;
}

/** Changes copies and keeps their number and bytes within limits; what was used longest ago goes first. */
export class Limits {
  readonly #store: Store | AtomicStore;
  readonly #most: Usage;
  readonly #evicted: (keys: readonly string[]) => void;
  readonly #sealed: boolean;
  /** What is written of the total is not so. */
  #isOff = false;
  /** So many copies were stored since the last count. */
  #unsure = 0;
  /** Known without looking since the last change of this tab; others may have changed it. */
  #total: Usage = { entries: 0, bytes: 0 };

  constructor(store: Store, { most, sealed, evicted }: LimitsOptions) {
    this.#store = store;
    this.#most = most;
    this.#sealed = sealed;
    this.#evicted = evicted;
  }

  async read(): Promise<Usage> {
    await this.open();
    const { entries, bytes } = this.#total;
    return { entries, bytes };
  }

  /** Reads the total; where there is none the copies are not ours, and go. */
  async open(): Promise<void> {
    const found = await this.#store.get(TOTAL);
    if (found && isUsage(found.value) && found.value.sealed === this.#sealed) {
      this.#total = found.value;
      return;
    }
    await this.recount();
  }

  /** Counts anew: somebody has changed copies and not said so. */
  async recount(): Promise<void> {
    for (let tries = 0; tries < RECOUNTS; tries++) {
      const before = await this.#store.get(TOTAL);
      const items = await this.#store.range({ prefix: COPIES });
      const old = items.filter((item) => !this.#isOurs(item));
      const value = { ...sum(items.filter((item) => this.#isOurs(item))), sealed: this.#sealed };
      const isQuiet = await changeOf(this.#store, [TOTAL], ([now]) => {
        // Somebody has stored something meanwhile, which may have been counted or not.
        if (JSON.stringify(now) !== JSON.stringify(before)) return { changes: [], result: false };
        const deleted = old.map(({ key }) => ({ delete: key }));
        return { changes: [...deleted, { put: { key: TOTAL, value } }], result: true };
      });
      if (!isQuiet) continue;
      this.#total = value;
      this.#isOff = false;
      return;
    }
  }

  /** What was sealed cannot be read without the codec, and what was not is not to lie there with one. */
  #isOurs({ value }: Item): boolean {
    return isRow(value) && value.copy instanceof Uint8Array === this.#sealed;
  }

  /** As `store.change`; what comes and goes is counted. */
  change<T>(
    keys: readonly string[],
    decide: (found: readonly (Item | undefined)[]) => Transaction<T>,
  ): Promise<T> {
    const counted = (found: readonly (Item | undefined)[]): Transaction<{ result: T; total: Usage }> => {
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
      const value = { ...total, sealed: this.#sealed };
      const count: Change[] = changes.length ? [{ put: { key: TOTAL, value } }] : [];
      return { changes: [...changes, ...count], result: { result, total } };
    };
    return changeOf(this.#store, [...keys, TOTAL], counted).then(({ result, total }) => {
      this.#total = total;
      return result;
    });
  }

  /** Deletes what is still there of these. @returns what has gone. */
  async delete(keys: readonly string[]): Promise<Usage> {
    try {
      return await this.change(keys, (found) => {
        const there = found.filter((item) => item !== undefined);
        return { changes: there.map(({ key }) => ({ delete: key })), result: sum(there) };
      });
    } catch (error) {
      if (!isQuotaExceeded(error)) throw error;
      return this.#deleteUncounted(keys);
    }
  }

  /** On a full disk there is no room for a new count either; deleting needs none. */
  async #deleteUncounted(keys: readonly string[]): Promise<Usage> {
    const found = await Promise.all(keys.map((key) => this.#store.get(key)));
    await this.#store.write(keys.map((key) => ({ delete: key })));
    const gone = sum(found.filter((item) => item !== undefined));
    this.#total = plus(this.#total, undefined, gone);
    this.#isOff = true;
    return gone;
  }

  /** Makes room where there is too much. @param spared The copy for which it is made. @returns what had to go. */
  async within(spared?: string): Promise<Usage> {
    if (this.#isOff || this.#isDoubtful()) await this.recount();
    return this.#shrinkTo(this.#most, spared);
  }

  /** Without atomic changes the count drifts; counting is a listing of all there is, so it is not done for each copy. */
  #isDoubtful(): boolean {
    if (isAtomic(this.#store)) return false;
    const { entries, bytes } = this.#total;
    const isTooMuch = entries > this.#most.entries || bytes > this.#most.bytes;
    this.#unsure = isTooMuch ? 0 : (this.#unsure + 1) % UNSURE;
    return isTooMuch || this.#unsure === 0;
  }

  /** A full disk: a quarter has to go, be it within the limits or not. */
  async giveUpAQuarter(): Promise<Usage> {
    // What others have stored may be what fills the disk.
    const { entries, bytes } = await this.read();
    return this.#shrinkTo({ entries: entries - Math.ceil(entries / 4), bytes: Math.floor((bytes * 3) / 4) });
  }

  async #shrinkTo(most: Usage, spared?: string): Promise<Usage> {
    let gone: Usage = { entries: 0, bytes: 0 };
    const tooMuch = (): boolean => this.#total.entries > most.entries || this.#total.bytes > most.bytes;
    while (tooMuch()) {
      const victims: string[] = [];
      let left = this.#total;
      for (const { key, value } of await this.#oldest(this.#total.entries - most.entries, spared)) {
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

  /** At least so many, if there are, of those that were used longest ago, in order; but one that is to be spared. */
  async #oldest(wanted: number, spared: string | undefined): Promise<Item<Row>[]> {
    const store = this.#store;
    const queries = isAtomic(store)
      ? (await store.groups(USED, GROUPS)).map((group) => ({ group, limit: Math.max(LEAST, wanted + 1) }))
      : [{ prefix: COPIES }];
    const found: Item<Row>[] = [];
    for (const query of queries) {
      const items = await store.range(query);
      const rows = items.filter((item): item is Item<Row> => isRow(item.value) && item.key !== spared);
      found.push(...rows.sort((a, b) => a.value.usedAt - b.value.usedAt));
      if (found.length > 0 && found.length >= wanted) break;
    }
    return found;
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

function isUsage(value: unknown): value is Usage & { readonly sealed?: boolean } {
  const usage = value as Partial<Usage> | undefined;
  return typeof usage === 'object' && Number.isFinite(usage?.entries) && Number.isFinite(usage?.bytes);
}
