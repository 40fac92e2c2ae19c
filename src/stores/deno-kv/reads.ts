import { type ItemWithBody, prefixEnd, type RangeQuery } from '../../core/store.ts';
import type { Bytes } from '../../primitives/units.ts';
import { decodeStoredBody } from '../encoding.ts';
import type { Bodies } from './bodies.ts';
import type { KvConnection } from './connection.ts';
import {
  type DenoKvRecord,
  HEAD,
  hashedName,
  justAfter,
  type Key,
  type KvKeys,
  namesOf,
  readRecord,
} from './layout.ts';
import type { RedoLog } from './redo-log.ts';

/** So many entries of a list are read at once. */
const PAGE = 500;

/** So many items are read at once by their names. */
const TOGETHER = 10;

/** Some entries, and the state of the store in which all of them were as they are. */
export interface Look {
  readonly stamp: string | null;
  readonly records: ReadonlyMap<string, DenoKvRecord | undefined>;
}

export class Reads {
  readonly #connection: KvConnection;
  readonly #places: KvKeys;
  readonly #jobs: RedoLog;
  readonly #bodies: Bodies;

  constructor(connection: KvConnection, places: KvKeys, jobs: RedoLog, bodies: Bodies) {
    this.#connection = connection;
    this.#places = places;
    this.#jobs = jobs;
    this.#bodies = bodies;
  }

  /** Entries by their keys. Where the state is still the same when something is committed, so are they. */
  async look(keys: readonly string[]): Promise<Look> {
    const names = await Promise.all(keys.map(async (key) => [...this.#places.items, await hashedName(key)]));
    for (;;) {
      // The state is read first, so that a later change is noticed.
      const [state, ...first] = await this.#connection.read([
        this.#places.state,
        ...names.slice(0, TOGETHER - 1),
      ]);
      if (!state || !(await this.#jobs.isSettled(state))) continue;
      const rest = await this.#connection.read(names.slice(TOGETHER - 1));
      const records = [...first, ...rest].map(({ value }) =>
        value === null ? undefined : readRecord(value),
      );
      return { stamp: state.versionstamp, records: new Map(keys.map((key, at) => [key, records[at]])) };
    }
  }

  async record(key: string): Promise<DenoKvRecord | undefined> {
    return (await this.look([key])).records.get(key);
  }

  /** Items in the order of their keys. */
  async range(query: RangeQuery): Promise<DenoKvRecord[]> {
    await this.look([]);
    const { prefix = '', after, limit = Infinity } = query;
    const found: DenoKvRecord[] = [];
    if (limit <= 0 || (after !== undefined && after > prefixEnd(prefix))) return found;
    for await (const record of inOrder(this.#listed(query))) {
      const { key } = record.item;
      if (!key.startsWith(prefix) || (after !== undefined && key <= after)) continue;
      found.push(record);
      if (found.length >= limit) break;
    }
    return found;
  }

  /** An entry with its body; a body of which a part is missing is not there. */
  async whole(key: string, known?: DenoKvRecord): Promise<ItemWithBody | undefined> {
    for (let record = known ?? (await this.record(key)); record; ) {
      const { item, body } = record;
      const bytes = body && (await this.#bodies.read(body));
      if (!body || bytes) return { ...item, body: bytes && decodeStoredBody({ bytes, kind: body.kind }) };
      // It may have been replaced in between.
      record = await this.record(key);
      if (record?.body?.id === body.id) return { ...item, body: undefined };
    }
    return undefined;
  }

  /** The different groups that begin with a prefix: jumps from one to the next. */
  async groups(prefix: string, limit = Infinity): Promise<string[]> {
    await this.look([]);
    const found: string[] = [];
    const { low, high } = namesOf(prefix);
    for (let from: Bytes | undefined = low; from && found.length < limit; ) {
      let next: Bytes | undefined;
      for await (const { name, value } of this.#connection.list(this.#places.group, { low: from, high }, 1)) {
        if ((value as string).startsWith(prefix)) found.push(value as string);
        next = justAfter(name);
        break;
      }
      from = next;
    }
    return found.sort();
  }

  async count(of: Pick<RangeQuery, 'group' | 'collection'>): Promise<number> {
    await this.look([]);
    let count = 0;
    for await (const _ of this.#connection.list(await this.#listOf(of), namesOf(''), PAGE)) count++;
    return count;
  }

  async *#listed(query: RangeQuery): AsyncGenerator<Named> {
    const { prefix = '', after, limit = Infinity, group, collection } = query;
    const names = namesOf(prefix, after);
    const size = Math.min(limit, PAGE);
    if (group === undefined && collection === undefined) {
      for await (const { name, value } of this.#connection.list(this.#places.items, names, size))
        yield { name, record: readRecord(value) };
      return;
    }
    const under = await this.#listOf(query);
    let page: Bytes[] = [];
    for await (const { name } of this.#connection.list(under, names, size)) {
      page.push(name);
      if (page.length < Math.min(limit, TOGETHER)) continue;
      yield* await this.#named(page, query);
      page = [];
    }
    yield* await this.#named(page, query);
  }

  /** Items by their names, without those deleted since. */
  async #named(names: readonly Bytes[], { group, collection }: RangeQuery): Promise<Named[]> {
    const entries = await this.#connection.read(names.map((name) => [...this.#places.items, name]));
    return entries.flatMap(({ value }, at) => {
      const record = value === null ? undefined : readRecord(value);
      const isStill =
        record && (group === undefined ? record.item.collection === collection : record.item.group === group);
      return isStill ? [{ name: names[at] as Bytes, record }] : [];
    });
  }

  async #listOf({ group, collection }: Pick<RangeQuery, 'group' | 'collection'>): Promise<Key> {
    return group === undefined
      ? [...this.#places.collection, await hashedName(collection as string)]
      : [...this.#places.group, await hashedName(group)];
  }
}

interface Named {
  readonly name: Bytes;
  readonly record: DenoKvRecord;
}

/** Names that are cut off are in the order of their digests where they begin alike. */
async function* inOrder(entries: AsyncIterable<Named>): AsyncGenerator<DenoKvRecord> {
  let alike: DenoKvRecord[] = [];
  let head = '';
  for await (const { name, record } of entries) {
    const next = name.length > HEAD ? name.subarray(0, HEAD).join() : '';
    if (next !== head) {
      yield* alike.sort(byKey);
      alike = [];
      head = next;
    }
    if (next === '') yield record;
    else alike.push(record);
  }
  yield* alike.sort(byKey);
}

const byKey = (a: DenoKvRecord, b: DenoKvRecord): number => (a.item.key < b.item.key ? -1 : 1);
