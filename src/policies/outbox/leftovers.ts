import type { Item } from '../../core/store.ts';
import type { OutboxSettings } from './options.ts';
import type { IdRow, ResultRow, Row } from './packing.ts';
import { ownerOf } from './places.ts';
import { NONE, type Rows, type Totals } from './rows.ts';

/** How long an id that was given is remembered where no answers are to be kept, in ms. */
const ID_KEPT = 86_400_000;

/** How many records are looked at together. */
const PAGE = 100;

/** What is left where entries were: answers, ids, sums; and how it goes. */
export class Leftovers {
  readonly #rows: Rows;
  /** How long answers and ids are kept, in ms. */
  readonly #keeps: number;

  constructor(rows: Rows, { resultTtl }: Pick<OutboxSettings, 'resultTtl'>) {
    this.#rows = rows;
    this.#keeps = resultTtl || ID_KEPT;
  }

  /** Sets right what a full disk has left wrong: where nothing waits, nothing is counted. */
  async recount(): Promise<void> {
    const { store, places } = this.#rows;
    const { count, bytes } = ((await store.get(places.totals))?.value as Totals) ?? NONE;
    if ((count === 0 && bytes === 0) || (await store.groups(places.waiting, 1)).length > 0) return;
    await this.#rows.change([places.totals], false, (get) => {
      const { stamp, ...found } = get<Totals>(places.totals) ?? NONE;
      // Something has been accepted meanwhile.
      if (found.count !== count) return { changes: [], result: undefined };
      return { changes: [{ put: { key: places.totals, value: { ...NONE, stamp } } }], result: undefined };
    });
  }

  /** Forgets answers, and ids that were given, that nobody may ask for any more. */
  async expire(now: number): Promise<void> {
    for (;;) {
      const results = await this.#rows.store.range({ prefix: this.#rows.places.results, limit: PAGE });
      const old = results.filter(({ value }) => (value as ResultRow).settledAt < now - this.#keeps);
      if (old.length > 0) await this.#forget(old);
      if (old.length < PAGE) return;
    }
  }

  /** Forgets all answers of a user, the ids that they have given, what they have paused, and who has sent their lanes. */
  async forget(partition: string, now: number): Promise<void> {
    for (;;) {
      const collection = this.#rows.places.settled(partition);
      const answers = await this.#rows.store.range({ collection, limit: PAGE });
      if (answers.length === 0) break;
      await this.#forget(answers);
    }
    await this.#forgetIds(partition);
    const leases = await this.#rows.store.range({ collection: this.#rows.places.leases(partition) });
    // Who sends just now goes on being known by its lease.
    const over = leases.filter(({ value }) => (value as { until: number }).until <= now);
    const keys = [this.#rows.places.holds(partition), ...over.map(({ key }) => key)];
    await this.#rows.store.write(keys.map((key) => ({ delete: key })));
  }

  /** Deletes what the responses of a user say; that a write was delivered, and its id, go on being known. */
  async forgetResponses(partition: string): Promise<void> {
    const collection = this.#rows.places.settled(partition);
    for (let after = ''; ; ) {
      const results = await this.#rows.store.range({ collection, after, limit: PAGE });
      await this.#rows.change(
        results.map(({ key }) => key),
        false,
        (get) => ({
          changes: results.flatMap((item) => {
            const found = get<ResultRow>(item.key);
            if (!found) return [];
            const { response: _, reason: __, sealed: ___, ...value } = found;
            return [{ put: { ...item, value }, body: null }];
          }),
          result: undefined,
        }),
      );
      after = results.at(-1)?.key ?? '';
      if (results.length < PAGE) return;
    }
  }

  /** Those of which there is nothing more: of what was delivered on a full disk. */
  async #forgetIds(partition: string): Promise<void> {
    const collection = this.#rows.places.ids(partition);
    for (let after = ''; ; ) {
      const ids = await this.#rows.store.range({ collection, after, limit: PAGE });
      const owners = ids.map(({ value }) => (value as IdRow).key);
      await this.#rows.change(owners, false, (get) => ({
        changes: ids.filter((_, at) => !get(owners[at] as string)).map(({ key }) => ({ delete: key })),
        result: undefined,
      }));
      after = ids.at(-1)?.key ?? '';
      if (ids.length < PAGE) return;
    }
  }

  async #forget(answers: readonly Item[]): Promise<void> {
    const owners = answers.map(({ key }) => ownerOf(key));
    await this.#rows.change(owners, false, (get) => ({
      changes: answers.flatMap(({ key, value }, at) => {
        const { id, aliases, partition } = value as ResultRow & Pick<Row, 'aliases'>;
        // A dead letter goes on being known by its ids.
        if (get(owners[at] as string)) return [{ delete: key }];
        return [{ delete: key }, ...this.#rows.aliases({ id, partition, ...(aliases && { aliases }) })];
      }),
      result: undefined,
    }));
  }
}
