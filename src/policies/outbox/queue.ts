import { CapacityError, HoldfastError } from '../../core/errors.ts';
import type { AtomicStore, Change, Item, StoredBody } from '../../core/store.ts';
import type { OutboxEntry, Reason, StoredResult } from './entry.ts';
import type { EntriesQuery, OutboxSettings } from './options.ts';
import { answerTo, contentOf, Packing, type ResultRow, type Row } from './packing.ts';
import { ownerOf, Places } from './places.ts';

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

/** What was under a `key` when it was looked at. */
export interface Unsent {
  /** The entry that is, or was, there. */
  readonly pointer: string | undefined;
  /** It is still unsent. */
  readonly entry?: OutboxEntry;
}

/** What the application has paused, and which dead letters stop their lanes. */
export interface Holds {
  readonly all?: boolean;
  readonly lanes: readonly string[];
  readonly stopped: readonly (readonly [lane: string, key: string])[];
}

const FREE: Holds = { lanes: [], stopped: [] };

/** The right to change what waits in a lane, where leases are needed: whoever has lost it changes nothing more. */
export interface Fence {
  readonly key: string;
  readonly token: number;
}

/** What is left of an entry when it has come to its end. */
export interface Ended {
  /** It was still there. */
  readonly found: boolean;
  /** Keys of those that waited for it. */
  readonly dependants: readonly string[];
}

/** An answer with its body. */
export interface Answer {
  readonly result: StoredResult;
  readonly body: StoredBody | undefined;
}

/** How long an id that was given is remembered where no answers are to be kept, in ms. */
const ID_KEPT = 86_400_000;

/** How many records are looked at together. */
const PAGE = 100;

type Get = <T>(key: string) => T | undefined;

/**
 * The entries of one pipeline in a store. Each operation is one atomic change, so a crash between two of them leaves
 * every entry in exactly one state.
 */
export class Queue {
  readonly places: Places;
  readonly #store: AtomicStore;
  readonly #packing: Packing;
  readonly #limits: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>;
  /** How long answers and ids are kept, in ms. */
  readonly #keeps: number;

  constructor(
    name: string,
    { store, maxEntries, maxBytes, storeResult, codec }: Omit<OutboxSettings, 'match'>,
  ) {
    this.places = new Places(name);
    this.#store = store;
    this.#packing = new Packing(codec);
    this.#limits = { maxEntries, maxBytes };
    this.#keeps = storeResult || ID_KEPT;
  }

  /**
   * Makes a write ready to be committed.
   *
   * @param chance Makes ids of the same moment different.
   * @param unsent Where the write has a `key`: what was found under it, into which `draft` has been merged.
   * @returns commits it to the disk, in the order in which such functions are called.
   */
  async prepared(
    draft: Draft,
    body: StoredBody | undefined,
    chance: string,
    unsent?: Unsent,
  ): Promise<(proceed: () => void) => Promise<Accepted | undefined>> {
    const row = await this.#packing.entry({ ...draft, id: '', key: '' });
    const packed = body && (await this.#packing.body(body, contentOf(row)));
    return (proceed) => this.#accept(draft, row, packed, chance, proceed, unsent);
  }

  /**
   * @param proceed Called when it is about to be written; what it throws refuses the write.
   * @returns `undefined` where what was found under the `key` is no longer so; nothing was written.
   * @throws {CapacityError} code `outbox-full`; what is there is kept.
   * @throws {HoldfastError} code `id-conflict`: the id belongs to another write.
   */
  async #accept(
    draft: Draft,
    row: Row,
    body: StoredBody | undefined,
    chance: string,
    proceed: () => void,
    unsent: Unsent | undefined,
  ): Promise<Accepted | undefined> {
    const { waitsFor = [] } = draft;
    const { totals, ...places } = this.#placesOf(draft);
    const into = unsent?.entry;
    const keys = [totals, places.alias, places.unsent, into?.key, ...waitsFor];
    const accepted = await this.#change(keys, true, (get) => {
      proceed();
      const known = places.alias && get<Row>(places.alias);
      if (known) return { changes: [], result: { row: same(draft, known), known: true } };
      const before = into && get<Row>(into.key);
      const isAsFound = !places.unsent || get<string>(places.unsent) === unsent?.pointer;
      if (!isAsFound || (into && !(before && isUnsent(before) && before.revision === into.revision)))
        return { changes: [], result: undefined };

      const { count, bytes, stamp } = get<Totals>(totals) ?? NONE;
      const after: Totals = before
        ? { count, bytes: bytes - before.size + row.size, stamp }
        : // Never lower than the last: a clock that was set back must not put a write before earlier ones.
          { count: count + 1, bytes: bytes + row.size, stamp: Math.max(row.acceptedAt, stamp + 1) };
      this.#admit(after, count, bytes);
      const made = `${after.stamp.toString(36).padStart(9, '0')}-${chance}`;
      const whole = before
        ? merged(before, row, draft.id)
        : { ...row, id: draft.id ?? made, key: this.places.entry(made) };
      const changes: Change[] = [
        { put: this.#item(whole), body: body ?? null },
        { put: { key: totals, value: after } },
      ];
      if (places.alias) changes.push({ put: { key: places.alias, value: whole } });
      if (places.unsent) changes.push({ put: { key: places.unsent, value: whole.key } });
      for (const key of waitsFor) {
        const parent = get<Row>(key);
        const dependants = [...(parent?.dependants ?? []), whole.key];
        if (parent) changes.push({ put: this.#item({ ...parent, dependants }) });
      }
      return { changes, result: { row: whole, known: false } };
    });
    if (!accepted) return undefined;
    const entry = await this.#packing.opened(accepted.row);
    return { entry: { ...entry, ...(draft.id !== undefined && { id: draft.id }) }, known: accepted.known };
  }

  /** What a write with this `key` would be merged into. */
  async unsent(partition: string, lane: string, key: string): Promise<Unsent> {
    const pointer = (await this.#store.get(this.places.unsent(partition, lane, key)))?.value as
      | string
      | undefined;
    const row = pointer === undefined ? undefined : await this.#row(pointer);
    if (!row || !isUnsent(row)) return { pointer };
    const entry = await this.#packing.opened(row);
    return entry.unreadable ? { pointer } : { pointer, entry };
  }

  /** The next of a lane. */
  async head(partition: string, lane: string): Promise<OutboxEntry | undefined> {
    const group = this.places.lane('waiting', partition, lane);
    const [first] = await this.#store.range({ group, limit: 1 });
    return first && this.#packing.opened(first.value as Row);
  }

  /** @throws where it cannot be opened. */
  async body(entry: OutboxEntry): Promise<StoredBody | undefined> {
    const stored = await this.#store.body(entry.key);
    return stored && this.#packing.openedBody(stored, contentOf(entry), entry.seal !== undefined);
  }

  /** The lanes of a user in which something is in a state. */
  async lanes(partition: string, state: OutboxEntry['state'] = 'waiting'): Promise<string[]> {
    const prefix = this.places.lane(state, partition, '');
    return (await this.#store.groups(prefix)).map((group) => decodeURIComponent(group.slice(prefix.length)));
  }

  async get(key: string): Promise<OutboxEntry | undefined> {
    const row = await this.#row(key);
    return row && this.#packing.opened(row);
  }

  /** Whether an entry is still there, and as it was. */
  async has(entry: OutboxEntry): Promise<boolean> {
    return isOf(await this.#row(entry.key), entry);
  }

  /** An entry by the id that the application knows. */
  async find(partition: string, id: string): Promise<OutboxEntry | undefined> {
    const entry = await this.get(await this.keyOf(partition, id));
    return entry?.partition === partition ? entry : undefined;
  }

  /** Where the entry of an id is, or would be. */
  async keyOf(partition: string, id: string): Promise<string> {
    const alias = (await this.#store.get(this.places.alias(partition, id)))?.value as Row | undefined;
    return alias?.key ?? this.places.entry(id);
  }

  async list(
    partition: string,
    { state = 'waiting', lane, after, limit = 50 }: EntriesQuery,
  ): Promise<OutboxEntry[]> {
    const page = { limit, ...(after !== undefined && { after }) };
    const where =
      lane === undefined
        ? { collection: this.places.of(state, partition) }
        : { group: this.places.lane(state, partition, lane) };
    const items = await this.#store.range({ ...where, ...page });
    return Promise.all(items.map(({ value }) => this.#packing.opened(value as Row)));
  }

  /** How many of a user's entries are in a state, or of one lane of it. */
  async count(state: OutboxEntry['state'], partition: string, lane?: string): Promise<number> {
    return lane === undefined
      ? this.#store.count({ collection: this.places.of(state, partition) })
      : this.#store.count({ group: this.places.lane(state, partition, lane) });
  }

  /** What waits, of all users. */
  async totals(): Promise<{ count: number; bytes: number }> {
    const { count, bytes } = ((await this.#store.get(this.places.totals))?.value as Totals) ?? NONE;
    return { count, bytes };
  }

  /** Says before a sending that it begins; from here on the entry is not unsent. @returns whether it is still to be sent. */
  claim(entry: OutboxEntry, now: number): Promise<boolean> {
    return this.#change([entry.key], true, (get) => {
      const found = get<Row>(entry.key);
      if (!isOf(found, entry)) return { changes: [], result: false };
      return { changes: [{ put: this.#item({ ...found, claimedAt: now }) }], result: true };
    });
  }

  /** Changes an entry that is still there. @returns whether it was. */
  async update(
    entry: OutboxEntry,
    { reason, ...clear }: Partial<OutboxEntry>,
    fence?: Fence,
  ): Promise<boolean> {
    const changes = { ...clear, ...(reason && (await this.#packing.reason(entry, reason))) };
    return this.#change([entry.key, fence?.key], false, (get) => {
      const found = get<Row>(entry.key);
      if (!isOf(found, entry) || !holds(fence, get)) return { changes: [], result: false };
      return { changes: [{ put: this.#item({ ...found, ...changes }) }], result: true };
    });
  }

  /** Gives an entry another content, and what comes with it. @returns whether it was still as `entry` says. */
  async rewrite(entry: OutboxEntry, after: OutboxEntry, body: StoredBody | undefined): Promise<boolean> {
    const { totals } = this.places;
    const row = await this.#packing.entry(after);
    const packed = body && (await this.#packing.body(body, contentOf(row)));
    return this.#change([entry.key, totals], true, (get) => {
      const found = get<Row>(entry.key);
      if (!isOf(found, entry)) return { changes: [], result: false };
      const { dependants } = found;
      const put = this.#item({ ...row, ...(dependants && { dependants }) });
      const changes: Change[] = [{ put, body: packed ?? null }];
      if (found.state === 'waiting') {
        const { count, bytes, stamp } = get<Totals>(totals) ?? NONE;
        const value: Totals = { count, bytes: bytes - found.size + row.size, stamp };
        changes.push({ put: { key: totals, value } });
      }
      return { changes, result: true };
    });
  }

  /** Makes a dead letter wait again: the answer that buried it is no longer the answer. */
  revive(entry: OutboxEntry, changes: Partial<Row>): Promise<boolean> {
    const { totals } = this.places;
    const holdsKey = this.places.holds(entry.partition);
    return this.#change([entry.key, totals, holdsKey], true, (get) => {
      const before = get<Row>(entry.key);
      if (before?.state !== 'dead') return { changes: [], result: false };
      const after: Row = { ...before, ...changes, state: 'waiting' };
      return {
        changes: [
          { put: this.#item(after) },
          { delete: this.places.result(entry.key) },
          ...this.#counted(get, before, after),
          ...this.#released(get, before),
        ],
        result: true,
      };
    });
  }

  /** Takes an entry out and keeps its answer, as one. */
  settle(entry: OutboxEntry, answer: Answer): Promise<Ended> {
    return this.#end(entry, () => undefined, answer);
  }

  /** Makes an entry a dead letter and keeps its answer, if it had one. */
  async bury(
    entry: OutboxEntry,
    changes: Partial<Row>,
    reason: Reason,
    answer: Answer,
    fence?: Fence,
  ): Promise<Ended> {
    const reasoned = await this.#packing.reason(entry, reason);
    const bury = (found: Row): Row => ({ ...found, ...changes, ...reasoned, state: 'dead' });
    return this.#end(entry, bury, answer, fence);
  }

  /** Removes an entry in whatever state. */
  remove(entry: OutboxEntry): Promise<Ended> {
    return this.#end(entry, () => undefined, undefined);
  }

  async result(key: string): Promise<Answer | undefined> {
    const stored = await this.#store.get(this.places.result(key));
    if (!stored) return undefined;
    const row = stored.value as ResultRow;
    const [result, body] = await Promise.all([
      this.#packing.openedResult(key, row),
      this.#store.body(stored.key),
    ]);
    return {
      result,
      body: body && (await this.#packing.openedBody(body, answerTo(key), row.sealed !== undefined)),
    };
  }

  /** The stored answer to an id; also after the entry has gone. */
  async resultOf(partition: string, id: string): Promise<Answer | undefined> {
    const key = await this.keyOf(partition, id);
    const row = (await this.#store.get(this.places.result(key)))?.value as ResultRow | undefined;
    return row?.partition === partition ? this.result(key) : undefined;
  }

  async holds(partition: string): Promise<Holds> {
    return ((await this.#store.get(this.places.holds(partition)))?.value as Holds | undefined) ?? FREE;
  }

  /** Pauses a lane, or all of a user's, or ends that. @returns whether that changed anything. */
  hold(partition: string, lane: string | undefined, paused: boolean): Promise<boolean> {
    const key = this.places.holds(partition);
    return this.#change([key], true, (get) => {
      const before = get<Holds>(key) ?? FREE;
      const others = before.lanes.filter((each) => each !== lane);
      const lanes = paused && lane !== undefined ? [...others, lane] : others;
      const value: Holds = { ...before, lanes, all: lane === undefined ? paused : before.all === true };
      const changed = value.all !== (before.all ?? false) || lanes.length !== before.lanes.length;
      return { changes: changed ? [{ put: { key, value } }] : [], result: changed };
    });
  }

  /** Forgets answers, and ids that were given, that nobody may ask for any more. */
  async expire(now: number): Promise<void> {
    for (;;) {
      const results = await this.#store.range({ prefix: this.places.results, limit: PAGE });
      const old = results.filter(({ value }) => (value as ResultRow).settledAt < now - this.#keeps);
      if (old.length > 0) await this.#forget(old);
      if (old.length < PAGE) return;
    }
  }

  /** Forgets all answers of a user, what they have paused, and who has sent their lanes. */
  async forget(partition: string): Promise<void> {
    for (;;) {
      const collection = this.places.settled(partition);
      const answers = await this.#store.range({ collection, limit: PAGE });
      if (answers.length === 0) break;
      await this.#forget(answers);
    }
    const left = await this.#store.range({ collection: this.places.leases(partition) });
    const keys = [this.places.holds(partition), ...left.map(({ key }) => key)];
    await this.#store.write(keys.map((key) => ({ delete: key })));
  }

  async #forget(answers: readonly Item[]): Promise<void> {
    const owners = answers.map(({ key }) => ownerOf(key));
    await this.#change(owners, false, (get) => ({
      changes: answers.flatMap(({ key, value }, at) => {
        const { id, aliases, partition } = value as ResultRow & Pick<Row, 'aliases'>;
        // A dead letter goes on being known by its ids.
        if (get(owners[at] as string)) return [{ delete: key }];
        return [{ delete: key }, ...this.#aliases({ id, partition, ...(aliases && { aliases }) })];
      }),
      result: undefined,
    }));
  }

  async #end(
    entry: OutboxEntry,
    after: (found: Row) => Row | undefined,
    answer: Answer | undefined,
    fence?: Fence,
  ): Promise<Ended> {
    const { key, partition, lane, coalesce } = entry;
    const unsent = coalesce === undefined ? undefined : this.places.unsent(partition, lane, coalesce);
    const result = answer && (await this.#packing.result(entry, answer.result));
    const body = answer?.body && (await this.#packing.body(answer.body, answerTo(key)));
    const keys = [key, this.places.totals, unsent, this.places.holds(partition), fence?.key];
    return this.#change<Ended>(keys, true, (get) => {
      const found = get<Row>(key);
      if (!isOf(found, entry) || !holds(fence, get))
        return { changes: [], result: { found: false, dependants: [] } };
      const dead = after(found);
      const changes: Change[] = [dead ? { put: this.#item(dead) } : { delete: key }];
      changes.push(...this.#counted(get, found, dead));
      changes.push(...(dead ? this.#stopped(get, dead) : this.#released(get, found)));
      if (unsent && get<string>(unsent) === key) changes.push({ delete: unsent });
      if (result) {
        const value = { ...result, ...(found.aliases && { aliases: found.aliases }) };
        const put = {
          key: this.places.result(key),
          collection: this.places.settled(partition),
          value,
        };
        changes.push({ put, body: body ?? null });
      } else changes.push({ delete: this.places.result(key) }, ...this.#aliases(found));
      return { changes, result: { found: true, dependants: found.dependants ?? [] } };
    });
  }

  /** What waits after an entry has changed. */
  #counted(get: Get, before: Row, after: Row | undefined): Change[] {
    const weight = (row: Row | undefined): number => (row?.state === 'waiting' ? 1 : 0);
    const change = weight(after) - weight(before);
    if (change === 0) return [];
    const { count, bytes, stamp } = get<Totals>(this.places.totals) ?? NONE;
    const value: Totals = { count: count + change, bytes: bytes + change * before.size, stamp };
    return [{ put: { key: this.places.totals, value } }];
  }

  /** @throws where it would be too much; what there is, is told. */
  #admit(after: Totals, count: number, bytes: number): void {
    const { maxEntries, maxBytes } = this.#limits;
    if ((after.count > count && after.count > maxEntries) || (after.bytes > bytes && after.bytes > maxBytes))
      throw new CapacityError(
        'outbox-full',
        `the outbox holds ${count} entries of ${bytes} bytes and takes no more`,
      );
  }

  /** Where order matters more, a dead letter stops its lane. */
  #stopped(get: Get, { strict, partition, lane, key }: Row): Change[] {
    if (!strict) return [];
    const where = this.places.holds(partition);
    const before = get<Holds>(where) ?? FREE;
    return [{ put: { key: where, value: { ...before, stopped: [...before.stopped, [lane, key]] } } }];
  }

  #released(get: Get, { strict, partition, key }: Row): Change[] {
    const where = this.places.holds(partition);
    const before = strict ? get<Holds>(where) : undefined;
    if (!before) return [];
    const stopped = before.stopped.filter(([, stopper]) => stopper !== key);
    return [{ put: { key: where, value: { ...before, stopped } } }];
  }

  #aliases({ id, aliases = [], partition }: Pick<Row, 'id' | 'aliases' | 'partition'>): Change[] {
    return [id, ...aliases].map((each) => ({ delete: this.places.alias(partition, each) }));
  }

  #item(row: Row): Item<Row> {
    const { key, state, partition, lane } = row;
    return {
      key,
      group: this.places.lane(state, partition, lane),
      collection: this.places.of(state, partition),
      value: row,
    };
  }

  #placesOf({ id, partition, lane, coalesce }: Draft): { totals: string; alias?: string; unsent?: string } {
    return {
      totals: this.places.totals,
      ...(id !== undefined && { alias: this.places.alias(partition, id) }),
      ...(coalesce !== undefined && { unsent: this.places.unsent(partition, lane, coalesce) }),
    };
  }

  async #row(key: string): Promise<Row | undefined> {
    return (await this.#store.get(key))?.value as Row | undefined;
  }

  /** An atomic change, in which what was found is asked for by its key. */
  #change<T>(
    keys: readonly (string | undefined)[],
    strict: boolean,
    decide: (get: Get) => { changes: readonly Change[]; result: T },
  ): Promise<T> {
    const wanted = keys.filter((key) => key !== undefined);
    return this.#store.change(
      wanted,
      (found) => decide(<V>(key: string) => found[wanted.indexOf(key)]?.value as V | undefined),
      { strict },
    );
  }
}

/** The entry of then, with the content of then. */
const isOf = (found: Row | undefined, { revision, state }: OutboxEntry): found is Row =>
  found !== undefined && found.revision === revision && found.state === state;

const holds = (fence: Fence | undefined, get: Get): boolean =>
  !fence || get<{ token: number }>(fence.key)?.token === fence.token;

/** No sending of it has begun. */
const isUnsent = ({ state, claimedAt }: Row): boolean => state === 'waiting' && claimedAt === undefined;

/** Two writes in one: the place of the earlier, the content of the later. */
function merged(before: Row, later: Row, id: string | undefined): Row {
  const { key, acceptedAt, dependants, aliases = [] } = before;
  const union = (name: 'after' | 'waitsFor') => {
    const all = [...new Set([...(before[name] ?? []), ...(later[name] ?? [])])];
    return all.length > 0 && { [name]: all };
  };
  return {
    ...later,
    id: before.id,
    key,
    acceptedAt,
    revision: (before.revision ?? 0) + 1,
    ...(dependants && { dependants }),
    ...(id !== undefined && id !== before.id && { aliases: [...aliases, id] }),
    ...union('after'),
    ...union('waitsFor'),
  };
}

/** The entry that has this id. One id for two writes would lose the second. */
function same(given: Draft, known: Row): Row {
  if (given.fingerprint === known.fingerprint) return known;
  throw new HoldfastError(`outbox id '${known.id}' belongs to another write${whichWas(known)}`, {
    code: 'id-conflict',
    category: 'conflict',
  });
}

const whichWas = ({ request }: Row): string =>
  request ? `, ${request.method} ${request.url.replace(/[?#].*/, '')}` : '';
