import {
  type AtomicStore,
  type Change,
  changeOf,
  type Item,
  isAtomic,
  isQuotaExceeded,
  type Store,
} from '../../../core/store.ts';
import { type CacheRecord, isCacheRecord, isEncrypted, KEY_PREFIX } from './entry.ts';

/** How many responses are cached, and the bytes of their bodies. */
export interface Usage {
  readonly entries: number;
  readonly bytes: number;
}

const NOTHING: Usage = { entries: 0, bytes: 0 };

/** The key of the totals, which every change updates. */
const TOTAL = 'responses total';

/** How many candidates are read at least: the limit may be bytes. */
const LEAST = 8;

/** How many groups (seconds of last use) are read. */
const GROUPS = 16;

/** In a store without atomic changes, every so many writes the totals are recounted. */
const RECOUNT_EVERY = 20;

/** How often a recount starts again because of concurrent writes. */
const RECOUNT_ATTEMPTS = 5;

/** Items of one group were last used in the same second: the oldest are found without reading all. */
const LAST_USE = 'responses used ';

const lastUseGroup = (usedAt: number): string =>
  `${LAST_USE}${Math.max(0, Math.floor(usedAt / 1_000))
    .toString(36)
    .padStart(7, '0')}`;

export const itemOf = (key: string, row: CacheRecord): Item<CacheRecord> => ({
  key,
  group: lastUseGroup(row.usedAt),
  value: row,
});

export interface QuotaOptions {
  readonly most: Usage;
  /** Whether records are encrypted. */
  readonly encrypted: boolean;
  /** Called with the keys that were evicted. */
  readonly onEvict: (keys: readonly string[]) => void;
}

type Found = readonly (Item | undefined)[];

type Put = Extract<Change, { readonly put: Item }>;

/** Keeps the number and the bytes of cached responses within limits; evicts the least recently used first. */
export class Quota {
  readonly #store: Store | AtomicStore;
  readonly #options: QuotaOptions;
  /** How many writes may come before the totals are recounted. */
  #writesLeft: number;
  /** The totals after the last change of this tab; other tabs may have changed them. */
  #total = NOTHING;

  constructor(store: Store, options: QuotaOptions) {
    this.#store = store;
    this.#options = options;
    this.#writesLeft = isAtomic(store) ? Infinity : RECOUNT_EVERY;
  }

  /** Reads the totals; without them, the records are of something else, and are deleted. */
  async read(): Promise<Usage> {
    const found = await this.#store.get(TOTAL);
    if (isTotal(found?.value) && found.value.encrypted === this.#options.encrypted)
      this.#total = plus(found.value);
    else await this.recount();
    return this.#total;
  }

  /** Counts again, after changes without totals. */
  async recount(): Promise<void> {
    for (let tries = 0; tries < RECOUNT_ATTEMPTS; tries++) {
      const before = await this.#store.get(TOTAL);
      const items = await this.#store.range({ prefix: KEY_PREFIX });
      const total = sum(items.filter((item) => this.#isOurs(item)));
      const others = items.filter((item) => !this.#isOurs(item));
      const isQuiet = await changeOf(this.#store, [TOTAL], ([now]) => {
        // A concurrent write, counted or not: start again.
        if (JSON.stringify(now) !== JSON.stringify(before)) return { changes: [], result: false };
        return { changes: [...others.map(({ key }) => ({ delete: key })), this.#put(total)], result: true };
      });
      if (!isQuiet) continue;
      this.#total = total;
      this.#writesLeft = isAtomic(this.#store) ? Infinity : RECOUNT_EVERY;
      return;
    }
  }

  /** With encryption, plain records are of something else, and the other way round. */
  #isOurs({ value }: Item): boolean {
    return isCacheRecord(value) && isEncrypted(value) === this.#options.encrypted;
  }

  #put(total: Usage): Change {
    return { put: { key: TOTAL, value: { ...total, encrypted: this.#options.encrypted } } };
  }

  /** Deletes records that are still there, and stores one in their place. @returns how much was deleted. */
  async replace(keys: readonly string[], stored: readonly Put[] = []): Promise<Usage> {
    const added = sum(stored.map(({ put }) => put));
    const { gone, total } = await changeOf(this.#store, [TOTAL, ...keys], ([before, ...found]) => {
      const gone = sum(found);
      const total = plus(isTotal(before?.value) ? before.value : NOTHING, added, gone);
      const changes = [...deletionsOf(found), ...stored];
      return { changes: changes.length ? [...changes, this.#put(total)] : [], result: { gone, total } };
    });
    this.#total = total;
    return gone;
  }

  /** Deletes records that are still there. @returns how much was deleted. */
  async delete(keys: readonly string[]): Promise<Usage> {
    try {
      return await this.replace(keys);
    } catch (error) {
      if (!isQuotaExceeded(error)) throw error;
    }
    // On a full disk there is no room for new totals either; deleting needs none.
    const found = await Promise.all(keys.map((key) => this.#store.get(key)));
    const gone = sum(found);
    await this.#store.write(deletionsOf(found));
    this.#total = plus(this.#total, NOTHING, gone);
    this.#writesLeft = 0;
    return gone;
  }

  /** Evicts down to the limits. @param spared The key that is not evicted. @returns how much was evicted. */
  async enforce(spared?: string): Promise<Usage> {
    const { most } = this.#options;
    // Without atomic changes the totals drift; a recount lists everything, so it is not done for each write.
    if (--this.#writesLeft <= 0 || (!isAtomic(this.#store) && exceeds(this.#total, most)))
      await this.recount();
    return this.#shrinkTo(most, spared);
  }

  /** Evicts a quarter, because the disk is full. */
  async evictQuarter(): Promise<Usage> {
    // Records of other tabs may fill the disk.
    const { entries, bytes } = await this.read();
    return this.#shrinkTo({ entries: entries - Math.ceil(entries / 4), bytes: Math.floor((bytes * 3) / 4) });
  }

  async #shrinkTo(most: Usage, spared?: string): Promise<Usage> {
    let gone = NOTHING;
    while (exceeds(this.#total, most)) {
      const victims: string[] = [];
      let left = this.#total;
      for (const { key, value } of await this.#oldest(left.entries - most.entries, spared)) {
        if (!exceeds(left, most)) break;
        victims.push(key);
        left = plus(left, NOTHING, { entries: 1, bytes: value.size });
      }
      if (victims.length === 0) {
        // The totals were too high.
        await this.recount();
        break;
      }
      this.#options.onEvict(victims);
      const evicted = await this.delete(victims);
      // Others have deleted them, and the listing of some stores is late: it would name them again.
      if (evicted.entries === 0) break;
      gone = plus(gone, evicted);
    }
    return gone;
  }

  /** At least `wanted` of the least recently used records, in order, without the spared one. */
  async #oldest(wanted: number, spared: string | undefined): Promise<Item<CacheRecord>[]> {
    const store = this.#store;
    const limit = Math.max(LEAST, wanted + 1);
    const queries = isAtomic(store)
      ? (await store.groups(LAST_USE, GROUPS)).map((group) => ({ group, limit }))
      : [{ prefix: KEY_PREFIX }];
    const found: Item<CacheRecord>[] = [];
    for (const query of queries) {
      const rows = (await store.range(query)).filter(
        (item): item is Item<CacheRecord> => isCacheRecord(item.value) && item.key !== spared,
      );
      found.push(...rows.sort((a, b) => a.value.usedAt - b.value.usedAt));
      if (found.length > 0 && found.length >= wanted) break;
    }
    return found;
  }
}

const deletionsOf = (found: Found): Change[] => found.flatMap((item) => (item ? [{ delete: item.key }] : []));

export const sum = (items: Found): Usage => {
  const rows = items.flatMap((item) => (item && isCacheRecord(item.value) ? [item.value] : []));
  return { entries: rows.length, bytes: rows.reduce((bytes, { size }) => bytes + size, 0) };
};

const exceeds = (total: Usage, most: Usage): boolean =>
  total.entries > most.entries || total.bytes > most.bytes;

/** Never below zero: other tabs may have deleted records. */
const plus = (to: Usage, more = NOTHING, less = NOTHING): Usage => ({
  entries: Math.max(0, to.entries + more.entries - less.entries),
  bytes: Math.max(0, to.bytes + more.bytes - less.bytes),
});

function isTotal(value: unknown): value is Usage & { readonly encrypted?: boolean } {
  const usage = value as Partial<Usage> | undefined;
  return typeof usage === 'object' && Number.isFinite(usage?.entries) && Number.isFinite(usage?.bytes);
}
