import type { Item } from '../../core/store.ts';
import type { OutboxSettings } from './options.ts';
import type { EntryRecord, IdRecord, ResultRecord } from './queue/encryption.ts';
import { EMPTY_TOTALS, entryKeyOfResult, type Records, type Totals } from './queue/records.ts';

/** How long an id is remembered if no results are stored, in ms. */
const ID_KEPT = 86_400_000;

/** How many records are read together. */
const PAGE = 100;

/** Deletes what outlives entries: results, ids, totals. */
export class Cleanup {
  readonly #records: Records;
  /** How long results and ids are kept, in ms. */
  readonly #resultTtl: number;

  constructor(records: Records, { resultTtl }: Pick<OutboxSettings, 'resultTtl'>) {
    this.#records = records;
    this.#resultTtl = resultTtl || ID_KEPT;
  }

  /** Corrects totals that a full disk has left wrong: an empty queue counts zero. */
  async recount(): Promise<void> {
    const { store, keys } = this.#records;
    const { count, bytes } = ((await store.get(keys.totals))?.value as Totals) ?? EMPTY_TOTALS;
    if ((count === 0 && bytes === 0) || (await store.groups(keys.waiting, 1)).length > 0) return;
    await this.#records.change([keys.totals], false, (get) => {
      const { lastTimestamp, ...found } = get<Totals>(keys.totals) ?? EMPTY_TOTALS;
      // A write was accepted in between.
      if (found.count !== count) return { changes: [], result: undefined };
      return {
        changes: [{ put: { key: keys.totals, value: { ...EMPTY_TOTALS, lastTimestamp } } }],
        result: undefined,
      };
    });
  }

  /** Deletes expired results and their ids. */
  async expireResults(now: number): Promise<void> {
    for (;;) {
      const results = await this.#records.store.range({ prefix: this.#records.keys.results, limit: PAGE });
      const old = results.filter(({ value }) => (value as ResultRecord).settledAt < now - this.#resultTtl);
      if (old.length > 0) await this.#deleteResults(old);
      if (old.length < PAGE) return;
    }
  }

  /** Deletes the results, ids, pauses and expired leases of a partition. */
  async purgePartition(partition: string, now: number): Promise<void> {
    for (;;) {
      const collection = this.#records.keys.settled(partition);
      const results = await this.#records.store.range({ collection, limit: PAGE });
      if (results.length === 0) break;
      await this.#deleteResults(results);
    }
    await this.#deleteIds(partition);
    const leases = await this.#records.store.range({ collection: this.#records.keys.leases(partition) });
    // The lease of a worker that is sending stays.
    const over = leases.filter(({ value }) => (value as { until: number }).until <= now);
    const keys = [this.#records.keys.pauses(partition), ...over.map(({ key }) => key)];
    await this.#records.store.write(keys.map((key) => ({ delete: key })));
  }

  /** Deletes the responses of a partition; the ids and the outcomes of its writes stay. */
  async clearResponses(partition: string): Promise<void> {
    const collection = this.#records.keys.settled(partition);
    for (let after = ''; ; ) {
      const results = await this.#records.store.range({ collection, after, limit: PAGE });
      await this.#records.change(
        results.map(({ key }) => key),
        false,
        (get) => ({
          changes: results.flatMap((item) => {
            const found = get<ResultRecord>(item.key);
            if (!found) return [];
            const { response: _, reason: __, encrypted: ___, ...value } = found;
            return [{ put: { ...item, value }, body: null }];
          }),
          result: undefined,
        }),
      );
      after = results.at(-1)?.key ?? '';
      if (results.length < PAGE) return;
    }
  }

  /** Deletes ids without an entry (delivered while the disk was full). */
  async #deleteIds(partition: string): Promise<void> {
    const collection = this.#records.keys.ids(partition);
    for (let after = ''; ; ) {
      const ids = await this.#records.store.range({ collection, after, limit: PAGE });
      const owners = ids.map(({ value }) => (value as IdRecord).key);
      await this.#records.change(owners, false, (get) => ({
        changes: ids.filter((_, at) => !get(owners[at] as string)).map(({ key }) => ({ delete: key })),
        result: undefined,
      }));
      after = ids.at(-1)?.key ?? '';
      if (ids.length < PAGE) return;
    }
  }

  async #deleteResults(results: readonly Item[]): Promise<void> {
    const owners = results.map(({ key }) => entryKeyOfResult(key));
    await this.#records.change(owners, false, (get) => ({
      changes: results.flatMap(({ key, value }, at) => {
        const { id, aliases, partition } = value as ResultRecord & Pick<EntryRecord, 'aliases'>;
        // The ids of a dead letter stay.
        if (get(owners[at] as string)) return [{ delete: key }];
        return [{ delete: key }, ...this.#records.aliases({ id, partition, ...(aliases && { aliases }) })];
      }),
      result: undefined,
    }));
  }
}
