import type { Change, StoredBody } from '../../core/store.ts';
import { Endings } from './endings.ts';
import type { OutboxEntry, WholeEntry } from './entry.ts';
import { Intake } from './intake.ts';
import { Leftovers } from './leftovers.ts';
import { light } from './light.ts';
import type { OutboxSettings } from './options.ts';
import {
  type Answer,
  answerTo,
  codeAlone,
  contentOf,
  type IdRow,
  type Reasoned,
  type ResultRow,
  type Row,
} from './packing.ts';
import type { EntriesQuery } from './queries.ts';
import { type Fence, holds, isOf, NONE, Rows, type Totals } from './rows.ts';

/** Bodies of so many bytes are read together. */
const LIGHT = 256_000;

/** `'as it is'`: what cannot be opened just now comes without what it says, for whoever only takes it out. */
type How = 'opened' | 'as it is';

/**
 * The entries of one pipeline in a store. Each operation is one atomic change, so a crash between two of them leaves
 * every entry in exactly one state.
 */
export class Queue {
  readonly rows: Rows;
  readonly intake: Intake;
  readonly endings: Endings;
  readonly leftovers: Leftovers;

  constructor(name: string, settings: OutboxSettings) {
    this.rows = new Rows(name, settings);
    this.intake = new Intake(this.rows, settings);
    this.endings = new Endings(this.rows);
    this.leftovers = new Leftovers(this.rows, settings);
  }

  /** The next of a lane. */
  async head(partition: string, lane: string, how: How = 'opened'): Promise<OutboxEntry | undefined> {
    const group = this.rows.places.lane('waiting', partition, lane);
    const [first] = await this.rows.store.range({ group, limit: 1 });
    return first && this.#entry(first.value as Row, how);
  }

  /** The next of a lane after a key, with their bodies: as many as are small together, and at least one. */
  async next(partition: string, lane: string, after: string, limit: number): Promise<WholeEntry[]> {
    const group = this.rows.places.lane('waiting', partition, lane);
    const found = await this.rows.store.rangeWithBodies({ group, after, limit }, (found) =>
      light(found, ({ value }) => (value as Row).size, LIGHT),
    );
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

  /** Whether anything of a user's waits, without looking at all of it. */
  async hasAny(partition: string): Promise<boolean> {
    const { store, places } = this.rows;
    return (await store.groups(places.lane('waiting', partition, ''), 1)).length > 0;
  }

  /** The lanes of a user in which something is in a state. */
  async lanes(partition: string, state: OutboxEntry['state'] = 'waiting'): Promise<string[]> {
    const prefix = this.rows.places.lane(state, partition, '');
    return (await this.rows.store.groups(prefix)).map((group) =>
      decodeURIComponent(group.slice(prefix.length)),
    );
  }

  async get(key: string, how: How = 'opened'): Promise<OutboxEntry | undefined> {
    const row = await this.rows.row(key);
    return row && this.#entry(row, how);
  }

  /** Whether an entry is still there, and as it was. */
  async has(entry: OutboxEntry): Promise<boolean> {
    return isOf(await this.rows.row(entry.key), entry);
  }

  /** An entry by the id that the application knows. */
  async find(partition: string, id: string, how: How = 'opened'): Promise<OutboxEntry | undefined> {
    const entry = await this.get(await this.keyOf(partition, id), how);
    return entry?.partition === partition ? entry : undefined;
  }

  /** Where the entry of an id is, or would be. */
  async keyOf(partition: string, id: string): Promise<string> {
    const alias = (await this.rows.store.get(this.rows.places.alias(partition, id)))?.value as
      | IdRow
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
    how: How = 'opened',
  ): Promise<OutboxEntry[]> {
    const page = { limit, ...(after !== undefined && { after }) };
    const where =
      lane === undefined
        ? { collection: this.rows.places.of(state, partition) }
        : { group: this.rows.places.lane(state, partition, lane) };
    const items = await this.rows.store.range({ ...where, ...page });
    return Promise.all(items.map(({ value }) => this.#entry(value as Row, how)));
  }

  #entry(row: Row, how: How): Promise<OutboxEntry> {
    const { packing } = this.rows;
    return how === 'opened' ? packing.opened(row) : packing.asItIs(row);
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
    const write = (reasoned: Reasoned = {}): Promise<boolean> =>
      this.rows.change([entry.key, fence?.key], false, (get) => {
        const found = get<Row>(entry.key);
        if (!isOf(found, entry) || !holds(fence, get)) return { changes: [], result: false };
        return { changes: [{ put: this.rows.item({ ...found, ...clear, ...reasoned }) }], result: true };
      });
    if (!reason) return write();
    try {
      return await write(await this.rows.packing.reason(entry, reason));
    } catch {
      return write(codeAlone(reason));
    }
  }

  /** Gives an entry another content, and what comes with it. @returns whether it was still as `entry` says. */
  async rewrite(
    entry: OutboxEntry,
    after: OutboxEntry,
    body: StoredBody | undefined,
    fence?: Fence,
  ): Promise<boolean> {
    const { totals } = this.rows.places;
    const row = await this.rows.packing.entry(after);
    const packed = body && (await this.rows.packing.body(body, contentOf(row)));
    return this.rows.change([entry.key, totals, fence?.key], true, (get) => {
      const found = get<Row>(entry.key);
      if (!isOf(found, entry) || !holds(fence, get)) return { changes: [], result: false };
      const changes: Change[] = [{ put: this.rows.item(row), body: packed ?? null }];
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
      body:
        body &&
        (await this.rows.packing.openedBody(
          body,
          answerTo({ key, partition: row.partition }),
          row.sealed !== undefined,
        )),
    };
  }

  /** The stored answer to an id; also after the entry has gone. */
  async resultOf(partition: string, id: string): Promise<Answer | undefined> {
    const key = await this.keyOf(partition, id);
    const row = (await this.rows.store.get(this.rows.places.result(key)))?.value as ResultRow | undefined;
    return row?.partition === partition ? this.result(key) : undefined;
  }
}
