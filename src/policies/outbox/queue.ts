import { CapacityError, HoldfastError } from '../../core/errors.ts';
import type { AtomicStore, Change, Item, StoredBody } from '../../core/store.ts';
import type { OutboxEntry, StoredResult } from './entry.ts';
import type { EntriesQuery, OutboxSettings } from './options.ts';

/** What waits, and the stamp that was given last. */
interface Totals {
  readonly count: number;
  readonly bytes: number;
  readonly stamp: number;
}

const NONE: Totals = { count: 0, bytes: 0, stamp: 0 };

/** A write that is to be accepted. */
export type Draft = Omit<OutboxEntry, 'id' | 'key'> & { readonly id?: string | undefined };

export interface Accepted {
  readonly entry: OutboxEntry;
  /** The id had been given before: this is the entry of then. */
  readonly known: boolean;
}

const enc = encodeURIComponent;

const RESULT = 'result ';

/** How long an id that was given is remembered where no answers are to be kept, in ms. */
const ID_KEPT = 86_400_000;

/**
 * The entries of one pipeline in a store. Each operation is one atomic change, so a crash between two of them leaves
 * every entry in exactly one state.
 */
export class Queue {
  readonly #store: AtomicStore;
  readonly #limits: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>;
  readonly #name: string;
  readonly #totals: string;
  /** How long answers and ids are kept, in ms. */
  readonly #keeps: number;

  constructor(name: string, { store, maxEntries, maxBytes, storeResult }: OutboxSettings) {
    this.#store = store;
    this.#limits = { maxEntries, maxBytes };
    this.#name = enc(name);
    this.#totals = `totals ${this.#name}`;
    this.#keeps = storeResult || ID_KEPT;
  }

  /**
   * Commits a write to the disk.
   *
   * @param chance Makes ids of the same moment different.
   * @param proceed Called when it is about to be written; what it throws refuses the write.
   * @throws {CapacityError} code `outbox-full`; what is there is kept.
   * @throws {HoldfastError} code `id-conflict`: the id belongs to another write.
   */
  accept(entry: Draft, body: StoredBody | undefined, chance: string, proceed: () => void): Promise<Accepted> {
    const alias = entry.id === undefined ? [] : [this.#alias(entry.partition, entry.id)];
    return this.#store.change<Accepted>(
      [this.#totals, ...alias],
      ([totals, known]) => {
        proceed();
        if (known) return { changes: [], result: { entry: same(entry, known), known: true } };
        const { count, bytes, stamp } = (totals?.value as Totals | undefined) ?? NONE;
        const { maxEntries, maxBytes } = this.#limits;
        if (count + 1 > maxEntries || bytes + entry.size > maxBytes)
          throw new CapacityError(
            'outbox-full',
            `the outbox holds ${count} entries of ${bytes} bytes and takes no more`,
          );
        // Never lower than the last: a clock that was set back must not put a write before earlier ones.
        const next = Math.max(entry.acceptedAt, stamp + 1);
        const id = `${next.toString(36).padStart(9, '0')}-${chance}`;
        const accepted = { ...entry, id: entry.id ?? id, key: `entry ${this.#name} ${id}` };
        const changes: Change[] = [
          { put: this.#item(accepted), body: body ?? null },
          { put: { key: this.#totals, value: { count: count + 1, bytes: bytes + entry.size, stamp: next } } },
        ];
        if (alias[0]) changes.push({ put: { key: alias[0], value: accepted } });
        return { changes, result: { entry: accepted, known: false } };
      },
      { strict: true },
    );
  }

  async head(partition: string, lane: string): Promise<OutboxEntry | undefined> {
    const [first] = await this.#store.range({ group: this.#group('waiting', partition, lane), limit: 1 });
    return first?.value as OutboxEntry | undefined;
  }

  body({ key }: OutboxEntry): Promise<StoredBody | undefined> {
    return this.#store.body(key);
  }

  /** The lanes of a partition in which something waits. */
  async lanes(partition: string): Promise<string[]> {
    const prefix = this.#group('waiting', partition, '');
    return (await this.#store.groups(prefix)).map((group) => decodeURIComponent(group.slice(prefix.length)));
  }

  async get(key: string): Promise<OutboxEntry | undefined> {
    return (await this.#store.get(key))?.value as OutboxEntry | undefined;
  }

  /** An entry by the id that the application knows. */
  async find(partition: string, id: string): Promise<OutboxEntry | undefined> {
    const alias = (await this.#store.get(this.#alias(partition, id)))?.value as OutboxEntry | undefined;
    const entry = await this.get(alias?.key ?? `entry ${this.#name} ${id}`);
    return entry?.partition === partition ? entry : undefined;
  }

  async list(
    partition: string,
    { state = 'waiting', lane, after, limit = 50 }: EntriesQuery,
  ): Promise<OutboxEntry[]> {
    const page = { limit, ...(after !== undefined && { after }) };
    const one = state === 'dead' ? '' : lane;
    if (one !== undefined)
      return entries(await this.#store.range({ group: this.#group(state, partition, one), ...page }));
    const lanes = await this.lanes(partition);
    const all = await Promise.all(lanes.map((each) => this.list(partition, { state, lane: each, ...page })));
    return all
      .flat()
      .sort((a, b) => (a.key < b.key ? -1 : 1))
      .slice(0, limit);
  }

  /** Changes an entry that is still there. @returns whether it was. */
  update(entry: OutboxEntry, changes: Partial<OutboxEntry>): Promise<boolean> {
    return this.#store.change([entry.key, this.#totals], ([found, totals]) => {
      if (!found) return { changes: [], result: false };
      const before = found.value as OutboxEntry;
      const after = { ...before, ...changes };
      return { changes: [{ put: this.#item(after) }, ...this.#counted(totals, before, after)], result: true };
    });
  }

  /** Makes a dead letter wait again: the answer that buried it is no longer the answer. */
  revive(entry: OutboxEntry, changes: Partial<OutboxEntry>): Promise<boolean> {
    return this.#store.change([entry.key, this.#totals], ([found, totals]) => {
      const before = found?.value as OutboxEntry | undefined;
      if (before?.state !== 'dead') return { changes: [], result: false };
      const after: OutboxEntry = { ...before, ...changes, state: 'waiting' };
      const put = { put: this.#item(after) };
      return {
        changes: [put, { delete: this.#resultKey(entry.key) }, ...this.#counted(totals, before, after)],
        result: true,
      };
    });
  }

  /** Takes an entry out and keeps its answer, as one. @returns whether it was still there. */
  settle(entry: OutboxEntry, result: StoredResult, body: StoredBody | undefined): Promise<boolean> {
    return this.#end(entry, undefined, result, body);
  }

  /** Makes an entry a dead letter and keeps its answer, if it had one. */
  bury(entry: OutboxEntry, result: StoredResult, body: StoredBody | undefined): Promise<boolean> {
    const { reason } = result;
    return this.#end(entry, { ...entry, state: 'dead', ...(reason && { reason }) }, result, body);
  }

  /** Removes an entry in whatever state. */
  remove(entry: OutboxEntry): Promise<boolean> {
    return this.#end(entry, undefined, undefined, undefined);
  }

  async result({
    key,
  }: {
    key: string;
  }): Promise<{ result: StoredResult; body: StoredBody | undefined } | undefined> {
    const stored = await this.#store.get(this.#resultKey(key));
    return stored && { result: stored.value as StoredResult, body: await this.#store.body(stored.key) };
  }

  /** The stored answer to an id; also after the entry has gone. */
  async resultOf(partition: string, id: string): ReturnType<Queue['result']> {
    const alias = (await this.#store.get(this.#alias(partition, id)))?.value as OutboxEntry | undefined;
    const found = await this.result({ key: alias?.key ?? `entry ${this.#name} ${id}` });
    return found && whose(found.result) === partition ? found : undefined;
  }

  async counts(): Promise<{ count: number; bytes: number }> {
    const { count, bytes } = ((await this.#store.get(this.#totals))?.value as Totals | undefined) ?? NONE;
    return { count, bytes };
  }

  /** Forgets answers, and ids that were given, that nobody may ask for any more. */
  async expire(now: number): Promise<void> {
    const results = await this.#store.range({ prefix: this.#resultKey(''), limit: 100 });
    const old = results.filter(({ value }) => (value as StoredResult).settledAt < now - this.#keeps);
    if (old.length === 0) return;
    const owners = old.map(({ key }) => key.slice(RESULT.length));
    await this.#store.change(owners, (found) => ({
      changes: old.flatMap(({ key, value }, at) => {
        const result = value as StoredResult;
        // A dead letter goes on being known by its id.
        const alias = found[at] ? [] : [{ delete: this.#alias(whose(result), result.id) }];
        return [{ delete: key }, ...alias];
      }),
      result: undefined,
    }));
  }

  #end(
    entry: OutboxEntry,
    dead: OutboxEntry | undefined,
    result: StoredResult | undefined,
    body: StoredBody | undefined,
  ): Promise<boolean> {
    return this.#store.change(
      [entry.key, this.#totals],
      ([found, totals]) => {
        if (!found) return { changes: [], result: false };
        const changes: Change[] = [dead ? { put: this.#item(dead) } : { delete: entry.key }];
        changes.push(...this.#counted(totals, found.value as OutboxEntry, dead));
        // The partition is kept with it, or its alias could not be found again.
        const value = { ...result, partition: entry.partition };
        if (result) changes.push({ put: { key: this.#resultKey(entry.key), value }, body: body ?? null });
        else changes.push({ delete: this.#alias(entry.partition, entry.id) });
        return { changes, result: true };
      },
      { strict: true },
    );
  }

  /** What waits after an entry has changed. */
  #counted(totals: Item | undefined, before: OutboxEntry, after: OutboxEntry | undefined): Change[] {
    const weight = (entry: OutboxEntry | undefined): number => (entry?.state === 'waiting' ? 1 : 0);
    const change = weight(after) - weight(before);
    if (change === 0) return [];
    const { count, bytes, stamp } = (totals?.value as Totals | undefined) ?? NONE;
    const value: Totals = { count: count + change, bytes: bytes + change * before.size, stamp };
    return [{ put: { key: this.#totals, value } }];
  }

  #item(entry: OutboxEntry): Item<OutboxEntry> {
    const lane = entry.state === 'dead' ? '' : entry.lane;
    return { key: entry.key, group: this.#group(entry.state, entry.partition, lane), value: entry };
  }

  #group(state: OutboxEntry['state'], partition: string, lane: string): string {
    return `${state} ${this.#name} ${enc(partition)} ${enc(lane)}`;
  }

  #alias(partition: string, id: string): string {
    return `id ${this.#name} ${enc(partition)} ${enc(id)}`;
  }

  #resultKey(key: string): string {
    return RESULT + (key || `entry ${this.#name} `);
  }
}

const entries = (items: readonly Item[]): OutboxEntry[] => items.map(({ value }) => value as OutboxEntry);

/** The partition is kept with an answer. */
const whose = (result: StoredResult): string => (result as StoredResult & { partition: string }).partition;

/** The entry that has this id. One id for two writes would lose the second. */
function same(given: Draft, known: Item): OutboxEntry {
  const entry = known.value as OutboxEntry;
  if (given.fingerprint === entry.fingerprint) return entry;
  const { id, request } = entry;
  throw new HoldfastError(
    `outbox id '${id}' belongs to another write, ${request.method} ${withoutQuery(request.url)}`,
    {
      code: 'id-conflict',
      category: 'conflict',
    },
  );
}

const withoutQuery = (url: string): string => url.replace(/[?#].*/, '');
