import type { Change, Item, StoredBody } from '../../core/store.ts';
import { Deliveries } from './deliveries.ts';
import { Endings } from './endings.ts';
import type { OutboxEntry, WholeEntry } from './entry.ts';
import { Intake } from './intake.ts';
import type { EntriesQuery, OutboxSettings } from './options.ts';
import { type Answer, answerTo, contentOf, type ResultRow, type Row } from './packing.ts';
import { ownerOf } from './places.ts';
import { type Fence, holds, isOf, NONE, Rows, type Totals } from './rows.ts';

/** How long an id that was given is remembered where no answers are to be kept, in ms. */
const ID_KEPT = 86_400_000;

/** How many records are looked at together. */
const PAGE = 100;

/** Bodies of so many bytes are read together. */
const LIGHT = 256_000;

/**
 * The entries of one pipeline in a store. Each operation is one atomic change, so a crash between two of them leaves
 * every entry in exactly one state.
 */
export class Queue {
  readonly rows: Rows;
  readonly intake: Intake;
  readonly deliveries: Deliveries;
  readonly endings: Endings;
  /** How long answers and ids are kept, in ms. */
  readonly #keeps: number;

  constructor(name: string, settings: OutboxSettings) {
    this.rows = new Rows(name, settings);
    this.intake = new Intake(this.rows, settings);
    this.deliveries = new Deliveries(this.rows);
    this.endings = new Endings(this.rows);
    this.#keeps = settings.storeResult || ID_KEPT;
  }

  /** The next of a lane. */
  async head(partition: string, lane: string): Promise<OutboxEntry | undefined> {
    const group = this.rows.places.lane('waiting', partition, lane);
    const [first] = await this.rows.store.range({ group, limit: 1 });
    return first && this.rows.packing.opened(first.value as Row);
  }

  /** The next of a lane after a key, with their bodies: as many as are small together, and at least one. */
  async next(partition: string, lane: string, after: string, limit: number): Promise<WholeEntry[]> {
    const group = this.rows.places.lane('waiting', partition, lane);
    const found = await this.rows.store.wholes({ group, after, limit }, light);
    return Promise.all(
      found.map(async ({ value, body }) => ({ entry: await this.rows.packing.opened(value as Row), body })),
    );
  }

  /** @throws where it cannot be opened. */
  async opened({ entry, body }: WholeEntry): Promise<StoredBody | undefined> {
    return body && this.rows.packing.openedBody(body, contentOf(entry), entry.seal !== undefined);
  }

  /** @throws where it cannot be opened. */
  async body(entry: OutboxEntry): Promise<StoredBody | undefined> {
    return this.opened({ entry, body: await this.rows.store.body(entry.key) });
  }

  /** The lanes of a user in which something is in a state. */
  async lanes(partition: string, state: OutboxEntry['state'] = 'waiting'): Promise<string[]> {
    const prefix = this.rows.places.lane(state, partition, '');
    return (await this.rows.store.groups(prefix)).map((group) =>
      decodeURIComponent(group.slice(prefix.length)),
    );
  }

  async get(key: string): Promise<OutboxEntry | undefined> {
    const row = await this.rows.row(key);
    return row && this.rows.packing.opened(row);
  }

  /** Whether an entry is still there, and as it was. */
  async has(entry: OutboxEntry): Promise<boolean> {
    return isOf(await this.rows.row(entry.key), entry);
  }

  /** An entry by the id that the application knows. */
  async find(partition: string, id: string): Promise<OutboxEntry | undefined> {
    const entry = await this.get(await this.keyOf(partition, id));
    return entry?.partition === partition ? entry : undefined;
  }

  /** Where the entry of an id is, or would be. */
  async keyOf(partition: string, id: string): Promise<string> {
    const alias = (await this.rows.store.get(this.rows.places.alias(partition, id)))?.value as
      | Row
      | undefined;
    return alias?.key ?? this.rows.places.entry(id);
  }

  /** An id that is known although there is neither entry nor answer: it was delivered, and there was no room to say so. */
  async isRemembered({ partition, id }: Pick<OutboxEntry, 'partition' | 'id'>): Promise<boolean> {
    return (await this.rows.store.get(this.rows.places.alias(partition, id))) !== undefined;
  }

  async list(
    partition: string,
    { state = 'waiting', lane, after, limit = 50 }: EntriesQuery,
  ): Promise<OutboxEntry[]> {
    const page = { limit, ...(after !== undefined && { after }) };
    const where =
      lane === undefined
        ? { collection: this.rows.places.of(state, partition) }
        : { group: this.rows.places.lane(state, partition, lane) };
    const items = await this.rows.store.range({ ...where, ...page });
    return Promise.all(items.map(({ value }) => this.rows.packing.opened(value as Row)));
  }

  /** How many of a user's entries are in a state, or of one lane of it. */
  async count(state: OutboxEntry['state'], partition: string, lane?: string): Promise<number> {
    return lane === undefined
      ? this.rows.store.count({ collection: this.rows.places.of(state, partition) })
      : this.rows.store.count({ group: this.rows.places.lane(state, partition, lane) });
  }

  /** What waits, of all users. */
  async totals(): Promise<{ count: number; bytes: number }> {
    const { count, bytes } = ((await this.rows.store.get(this.rows.places.totals))?.value as Totals) ?? NONE;
    return { count, bytes };
  }

  /** Before all entries that are accepted from now on. */
  async nextKey(): Promise<string> {
    const { stamp } = ((await this.rows.store.get(this.rows.places.totals))?.value as Totals) ?? NONE;
    return this.rows.places.from(stamp + 1);
  }

  /** Says before a sending that it begins; from here on the entry is not unsent. @returns whether it is still to be sent. */
  claim(entry: OutboxEntry, now: number, fence?: Fence): Promise<boolean> {
    return this.rows.change([entry.key, fence?.key], true, (get) => {
      const found = get<Row>(entry.key);
      if (!isOf(found, entry) || !holds(fence, get)) return { changes: [], result: false };
      return { changes: [{ put: this.rows.item({ ...found, claimedAt: now }) }], result: true };
    });
  }

  /** Changes an entry that is still there. @returns whether it was. */
  async update(
    entry: OutboxEntry,
    { reason, ...clear }: Partial<OutboxEntry>,
    fence?: Fence,
  ): Promise<boolean> {
    const changes = { ...clear, ...(reason && (await this.rows.packing.reason(entry, reason))) };
    return this.rows.change([entry.key, fence?.key], false, (get) => {
      const found = get<Row>(entry.key);
      if (!isOf(found, entry) || !holds(fence, get)) return { changes: [], result: false };
      return { changes: [{ put: this.rows.item({ ...found, ...changes }) }], result: true };
    });
  }

  /** Gives an entry another content, and what comes with it. @returns whether it was still as `entry` says. */
  async rewrite(entry: OutboxEntry, after: OutboxEntry, body: StoredBody | undefined): Promise<boolean> {
    const { totals } = this.rows.places;
    const row = await this.rows.packing.entry(after);
    const packed = body && (await this.rows.packing.body(body, contentOf(row)));
    return this.rows.change([entry.key, totals], true, (get) => {
      const found = get<Row>(entry.key);
      if (!isOf(found, entry)) return { changes: [], result: false };
      const { dependants } = found;
      const put = this.rows.item({ ...row, ...(dependants && { dependants }) });
      const changes: Change[] = [{ put, body: packed ?? null }];
      if (found.state === 'waiting') {
        const { count, bytes, stamp } = get<Totals>(totals) ?? NONE;
        const value: Totals = { count, bytes: bytes - found.size + row.size, stamp };
        changes.push({ put: { key: totals, value } });
      }
      return { changes, result: true };
    });
  }

  async result(key: string): Promise<Answer | undefined> {
    const stored = await this.rows.store.get(this.rows.places.result(key));
    if (!stored) return undefined;
    const row = stored.value as ResultRow;
    const [result, body] = await Promise.all([
      this.rows.packing.openedResult(key, row),
      this.rows.store.body(stored.key),
    ]);
    return {
      result,
      body: body && (await this.rows.packing.openedBody(body, answerTo(key), row.sealed !== undefined)),
    };
  }

  /** The stored answer to an id; also after the entry has gone. */
  async resultOf(partition: string, id: string): Promise<Answer | undefined> {
    const key = await this.keyOf(partition, id);
    const row = (await this.rows.store.get(this.rows.places.result(key)))?.value as ResultRow | undefined;
    return row?.partition === partition ? this.result(key) : undefined;
  }

  /** Sets right what a full disk has left wrong: where nothing waits, nothing is counted. */
  async recount(): Promise<void> {
    const { store, places } = this.rows;
    const { count, bytes } = await this.totals();
    if ((count === 0 && bytes === 0) || (await store.groups(places.waiting, 1)).length > 0) return;
    await this.rows.change([places.totals], false, (get) => {
      const { stamp, ...found } = get<Totals>(places.totals) ?? NONE;
      // Something has been accepted meanwhile.
      if (found.count !== count) return { changes: [], result: undefined };
      return { changes: [{ put: { key: places.totals, value: { ...NONE, stamp } } }], result: undefined };
    });
  }

  /** Forgets answers, and ids that were given, that nobody may ask for any more. */
  async expire(now: number): Promise<void> {
    for (;;) {
      const results = await this.rows.store.range({ prefix: this.rows.places.results, limit: PAGE });
      const old = results.filter(({ value }) => (value as ResultRow).settledAt < now - this.#keeps);
      if (old.length > 0) await this.#forget(old);
      if (old.length < PAGE) return;
    }
  }

  /** Forgets all answers of a user, what they have paused, and who has sent their lanes. */
  async forget(partition: string, now: number): Promise<void> {
    for (;;) {
      const collection = this.rows.places.settled(partition);
      const answers = await this.rows.store.range({ collection, limit: PAGE });
      if (answers.length === 0) break;
      await this.#forget(answers);
    }
    const leases = await this.rows.store.range({ collection: this.rows.places.leases(partition) });
    // Who sends just now goes on being known by its lease.
    const over = leases.filter(({ value }) => (value as { until: number }).until <= now);
    const keys = [this.rows.places.holds(partition), ...over.map(({ key }) => key)];
    await this.rows.store.write(keys.map((key) => ({ delete: key })));
  }

  async #forget(answers: readonly Item[]): Promise<void> {
    const owners = answers.map(({ key }) => ownerOf(key));
    await this.rows.change(owners, false, (get) => ({
      changes: answers.flatMap(({ key, value }, at) => {
        const { id, aliases, partition } = value as ResultRow & Pick<Row, 'aliases'>;
        // A dead letter goes on being known by its ids.
        if (get(owners[at] as string)) return [{ delete: key }];
        return [{ delete: key }, ...this.rows.aliases({ id, partition, ...(aliases && { aliases }) })];
      }),
      result: undefined,
    }));
  }
}

/** As many of them as are light together, and at least one. */
function light(found: Item[]): Item[] {
  let bytes = 0;
  const end = found.findIndex(({ value }) => {
    bytes += (value as Row).size;
    return bytes > LIGHT;
  });
  return end < 0 ? found : found.slice(0, Math.max(1, end));
}
