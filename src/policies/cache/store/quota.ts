import {
  type AtomicStore,
  type Change,
  changeOf,
  type Item,
  isAtomic,
  isQuotaExceeded,
  type Store,
  type Transaction,
} from '../../../core/store.ts';
import { type CacheRecord, isCacheRecord, KEY_PREFIX, USED_GROUP } from './entry.ts';

/** How many responses are cached, and the bytes of their bodies. */
export interface Usage {
  readonly entries: number;
  readonly bytes: number;
}

/** The key of the totals, which every change updates. */
const TOTAL = 'copies total';

/** How many candidates are read at least: the limit may be bytes. */
const LEAST = 8;

/** How many groups (seconds of last use) are read. */
const GROUPS = 16;

/** In a store without atomic changes, every so many writes the totals are recounted. */
const RECOUNT_EVERY = 20;

/** How often a recount starts again because of concurrent writes. */
const RECOUNT_ATTEMPTS = 5;

export interface QuotaOptions {
  readonly most: Usage;
  /** Whether records are encrypted. */
  readonly encrypted: boolean;
  /** Called with the keys that were evicted. */
  readonly onEvict: (keys: readonly string[]) => void;
}

/** Keeps the number and the bytes of cached responses within limits; evicts the least recently used first. */
export class Quota {
  readonly #store: Store | AtomicStore;
  readonly #most: Usage;
  readonly #onEvict: (keys: readonly string[]) => void;
  readonly #encrypted: boolean;
  /** The stored totals are wrong. */
  #isDirty = false;
  /** How many writes came since the last count. */
  #uncounted = 0;
  /** The totals after the last change of this tab; other tabs may have changed them. */
  #total: Usage = { entries: 0, bytes: 0 };

  constructor(store: Store, { most, encrypted, onEvict: evicted }: QuotaOptions) {
    this.#store = store;
    this.#most = most;
    this.#encrypted = encrypted;
    this.#onEvict = evicted;
  }

  async read(): Promise<Usage> {
    await this.open();
    const { entries, bytes } = this.#total;
    return { entries, bytes };
  }

  /** Reads the totals; without them, the records are not ours, and are deleted. */
  async open(): Promise<void> {
    const found = await this.#store.get(TOTAL);
    if (found && isUsage(found.value) && found.value.encrypted === this.#encrypted) {
      this.#total = found.value;
      return;
    }
    await this.recount();
  }

  /** Counts again, after changes without totals. */
  async recount(): Promise<void> {
    for (let tries = 0; tries < RECOUNT_ATTEMPTS; tries++) {
      const before = await this.#store.get(TOTAL);
      const items = await this.#store.range({ prefix: KEY_PREFIX });
      const old = items.filter((item) => !this.#isOurs(item));
      const value = { ...sum(items.filter((item) => this.#isOurs(item))), encrypted: this.#encrypted };
      const isQuiet = await changeOf(this.#store, [TOTAL], ([now]) => {
        // A concurrent write, counted or not: start again.
        if (JSON.stringify(now) !== JSON.stringify(before)) return { changes: [], result: false };
        const deleted = old.map(({ key }) => ({ delete: key }));
        return { changes: [...deleted, { put: { key: TOTAL, value } }], result: true };
      });
      if (!isQuiet) continue;
      this.#total = value;
      this.#isDirty = false;
      return;
    }
  }

  /** With encryption, plain records are not ours, and the other way round. */
  #isOurs({ value }: Item): boolean {
    return isCacheRecord(value) && value.response instanceof Uint8Array === this.#encrypted;
  }

  /** As `store.change`, and updates the totals. */
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
      const value = { ...total, encrypted: this.#encrypted };
      const count: Change[] = changes.length ? [{ put: { key: TOTAL, value } }] : [];
      return { changes: [...changes, ...count], result: { result, total } };
    };
    return changeOf(this.#store, [...keys, TOTAL], counted).then(({ result, total }) => {
      this.#total = total;
      return result;
    });
  }

  /** Deletes records that are still there. @returns how much was deleted. */
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

  /** On a full disk there is no room for new totals either; deleting needs none. */
  async #deleteUncounted(keys: readonly string[]): Promise<Usage> {
    const found = await Promise.all(keys.map((key) => this.#store.get(key)));
    await this.#store.write(keys.map((key) => ({ delete: key })));
    const gone = sum(found.filter((item) => item !== undefined));
    this.#total = plus(this.#total, undefined, gone);
    this.#isDirty = true;
    return gone;
  }

  /** Evicts down to the limits. @param spared The key that is not evicted. @returns how much was evicted. */
  async enforce(spared?: string): Promise<Usage> {
    if (this.#isDirty || this.#isDoubtful()) await this.recount();
    return this.#shrinkTo(this.#most, spared);
  }

  /** Without atomic changes the totals drift; a recount lists everything, so it is not done for each write. */
  #isDoubtful(): boolean {
    if (isAtomic(this.#store)) return false;
    const { entries, bytes } = this.#total;
    const isTooMuch = entries > this.#most.entries || bytes > this.#most.bytes;
    this.#uncounted = isTooMuch ? 0 : (this.#uncounted + 1) % RECOUNT_EVERY;
    return isTooMuch || this.#uncounted === 0;
  }

  /** Evicts a quarter, because the disk is full. */
  async evictQuarter(): Promise<Usage> {
    // Records of other tabs may fill the disk.
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
        // The totals were too high.
        await this.recount();
        break;
      }
      this.#onEvict(victims);
      gone = plus(gone, await this.delete(victims));
    }
    return gone;
  }

  /** At least `wanted` of the least recently used records, in order, without the spared one. */
  async #oldest(wanted: number, spared: string | undefined): Promise<Item<CacheRecord>[]> {
    const store = this.#store;
    const queries = isAtomic(store)
      ? (await store.groups(USED_GROUP, GROUPS)).map((group) => ({
          group,
          limit: Math.max(LEAST, wanted + 1),
        }))
      : [{ prefix: KEY_PREFIX }];
    const found: Item<CacheRecord>[] = [];
    for (const query of queries) {
      const items = await store.range(query);
      const rows = items.filter(
        (item): item is Item<CacheRecord> => isCacheRecord(item.value) && item.key !== spared,
      );
      found.push(...rows.sort((a, b) => a.value.usedAt - b.value.usedAt));
      if (found.length > 0 && found.length >= wanted) break;
    }
    return found;
  }
}

export const sum = (items: readonly Item[]): Usage => ({
  entries: items.length,
  bytes: items.reduce((bytes, { value }) => bytes + (isCacheRecord(value) ? value.size : 0), 0),
});

/** Never below zero: other tabs may have deleted records. */
const plus = (to: Usage, more?: Usage, less?: Usage): Usage => ({
  entries: Math.max(0, to.entries + (more?.entries ?? 0) - (less?.entries ?? 0)),
  bytes: Math.max(0, to.bytes + (more?.bytes ?? 0) - (less?.bytes ?? 0)),
});

function isUsage(value: unknown): value is Usage & { readonly encrypted?: boolean } {
  const usage = value as Partial<Usage> | undefined;
  return typeof usage === 'object' && Number.isFinite(usage?.entries) && Number.isFinite(usage?.bytes);
}
