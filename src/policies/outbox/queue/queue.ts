import type { Change, StoredBody } from '../../../core/store.ts';
import { Cleanup } from '../cleanup.ts';
import type { OutboxSettings } from '../options.ts';
import {
  codeOnly,
  contentContext,
  type EntryRecord,
  type IdRecord,
  type ReasonFields,
  type ResultRecord,
  type ResultWithBody,
  resultContext,
} from './encryption.ts';
import type { EntryWithBody, OutboxEntry } from './entry.ts';
import { EntryInserter } from './insert.ts';
import type { EntriesQuery } from './queries.ts';
import { EMPTY_TOTALS, type Fence, isFenceValid, isSameRevision, Records, type Totals } from './records.ts';
import { Transitions } from './transitions.ts';

/** How many bytes of bodies are read together. */
const MAX_BATCH_BYTES = 256_000;

/** `'best-effort'`: an entry that cannot be decrypted comes without its content, to be removed. */
type DecryptMode = 'required' | 'best-effort';

/**
 * The entries of one pipeline in a store. Each operation is one atomic change, so a crash between two of them leaves
 * every entry in exactly one state.
 */
export class Queue {
  readonly records: Records;
  readonly inserter: EntryInserter;
  readonly transitions: Transitions;
  readonly cleanup: Cleanup;

  constructor(name: string, settings: OutboxSettings) {
    this.records = new Records(name, settings);
    this.inserter = new EntryInserter(this.records, settings);
    this.transitions = new Transitions(this.records);
    this.cleanup = new Cleanup(this.records, settings);
  }

  /** The first entry of a lane. */
  async head(
    partition: string,
    lane: string,
    how: DecryptMode = 'required',
  ): Promise<OutboxEntry | undefined> {
    const group = this.records.keys.lane('waiting', partition, lane);
    const [first] = await this.records.store.range({ group, limit: 1 });
    return first && this.#entry(first.value as EntryRecord, how);
  }

  /** The next entries of a lane after a key, with their bodies: up to `MAX_BATCH_BYTES`, and at least one. */
  async next(partition: string, lane: string, after: string, limit: number): Promise<EntryWithBody[]> {
    const group = this.records.keys.lane('waiting', partition, lane);
    const found = await this.records.store.rangeWithBodies({ group, after, limit }, (found) =>
      takeWhileUnder(found, ({ value }) => (value as EntryRecord).size, MAX_BATCH_BYTES),
    );
    return Promise.all(
      found.map(async ({ value, body }) => ({
        entry: await this.records.encryption.decryptEntry(value as EntryRecord),
        body,
      })),
    );
  }

  /** @throws if it cannot be decrypted. */
  async decryptBody({ entry, body }: EntryWithBody): Promise<StoredBody | undefined> {
    return (
      body &&
      this.records.encryption.decryptBody(body, contentContext(entry), entry.cipherContext !== undefined)
    );
  }

  /** @throws if it cannot be decrypted. */
  async body(entry: OutboxEntry): Promise<StoredBody | undefined> {
    return this.decryptBody({ entry, body: await this.records.store.body(entry.key) });
  }

  /** Whether a user has waiting entries. */
  async hasAny(partition: string): Promise<boolean> {
    const { store, keys } = this.records;
    return (await store.groups(keys.lane('waiting', partition, ''), 1)).length > 0;
  }

  /** The lanes of a user with entries in a state. */
  async lanes(partition: string, state: OutboxEntry['state'] = 'waiting'): Promise<string[]> {
    const prefix = this.records.keys.lane(state, partition, '');
    return (await this.records.store.groups(prefix)).map((group) =>
      decodeURIComponent(group.slice(prefix.length)),
    );
  }

  async get(key: string, how: DecryptMode = 'required'): Promise<OutboxEntry | undefined> {
    const record = await this.records.read(key);
    return record && this.#entry(record, how);
  }

  /** Whether the stored entry is still the revision that was read. */
  async has(entry: OutboxEntry): Promise<boolean> {
    return isSameRevision(await this.records.read(entry.key), entry);
  }

  /** An entry by its id or alias. */
  async find(partition: string, id: string, how: DecryptMode = 'required'): Promise<OutboxEntry | undefined> {
    const entry = await this.get(await this.keyOf(partition, id), how);
    return entry?.partition === partition ? entry : undefined;
  }

  /** The key of the entry with an id, stored or not. */
  async keyOf(partition: string, id: string): Promise<string> {
    const alias = (await this.records.store.get(this.records.keys.alias(partition, id)))?.value as
      | IdRecord
      | undefined;
    return alias?.key ?? this.records.keys.entry(id);
  }

  /** Whether an id is known without entry and result: it was delivered, and the disk was full. */
  async hasKnownId({ partition, id }: Pick<OutboxEntry, 'partition' | 'id'>): Promise<boolean> {
    return (await this.records.store.get(this.records.keys.alias(partition, id))) !== undefined;
  }

  async list(
    partition: string,
    { state = 'waiting', lane, after, limit = 50 }: EntriesQuery,
    how: DecryptMode = 'required',
  ): Promise<OutboxEntry[]> {
    const page = { limit, ...(after !== undefined && { after }) };
    const where =
      lane === undefined
        ? { collection: this.records.keys.of(state, partition) }
        : { group: this.records.keys.lane(state, partition, lane) };
    const items = await this.records.store.range({ ...where, ...page });
    return Promise.all(items.map(({ value }) => this.#entry(value as EntryRecord, how)));
  }

  #entry(record: EntryRecord, how: DecryptMode): Promise<OutboxEntry> {
    const { encryption } = this.records;
    return how === 'required' ? encryption.decryptEntry(record) : encryption.decryptIfPossible(record);
  }

  /** How many entries of a user, or of one lane, are in a state. */
  async count(state: OutboxEntry['state'], partition: string, lane?: string): Promise<number> {
    return lane === undefined
      ? this.records.store.count({ collection: this.records.keys.of(state, partition) })
      : this.records.store.count({ group: this.records.keys.lane(state, partition, lane) });
  }

  /** The waiting entries of all users. */
  async totals(): Promise<{ count: number; bytes: number }> {
    const { count, bytes } =
      ((await this.records.store.get(this.records.keys.totals))?.value as Totals) ?? EMPTY_TOTALS;
    return { count, bytes };
  }

  /** A key before all entries that are accepted from now on. */
  async nextKey(): Promise<string> {
    const { lastTimestamp } =
      ((await this.records.store.get(this.records.keys.totals))?.value as Totals) ?? EMPTY_TOTALS;
    return this.records.keys.from(lastTimestamp + 1);
  }

  /** Records that an attempt begins; from here on the entry is not unsent. @returns whether it may still be sent. */
  claim(entry: OutboxEntry, now: number, fence?: Fence): Promise<boolean> {
    return this.records.change([entry.key, fence?.key], true, (get) => {
      const found = get<EntryRecord>(entry.key);
      if (!isSameRevision(found, entry) || !isFenceValid(fence, get)) return { changes: [], result: false };
      return { changes: [{ put: this.records.item({ ...found, claimedAt: now }) }], result: true };
    });
  }

  /** Updates an entry that is still there. @returns whether it was. */
  async update(
    entry: OutboxEntry,
    { reason, ...clear }: Partial<OutboxEntry>,
    fence?: Fence,
  ): Promise<boolean> {
    const write = (reasonFields: ReasonFields = {}): Promise<boolean> =>
      this.records.change([entry.key, fence?.key], false, (get) => {
        const found = get<EntryRecord>(entry.key);
        if (!isSameRevision(found, entry) || !isFenceValid(fence, get)) return { changes: [], result: false };
        return {
          changes: [{ put: this.records.item({ ...found, ...clear, ...reasonFields }) }],
          result: true,
        };
      });
    if (!reason) return write();
    try {
      return await write(await this.records.encryption.encryptReason(entry, reason));
    } catch {
      return write(codeOnly(reason));
    }
  }

  /** Replaces the request of an entry. @returns whether the stored entry was still `entry`. */
  async replaceRequest(
    entry: OutboxEntry,
    after: OutboxEntry,
    body: StoredBody | undefined,
    fence?: Fence,
  ): Promise<boolean> {
    const { totals } = this.records.keys;
    const record = await this.records.encryption.encryptEntry(after);
    const encryptedBody = body && (await this.records.encryption.encryptBody(body, contentContext(record)));
    return this.records.change([entry.key, totals, fence?.key], true, (get) => {
      const found = get<EntryRecord>(entry.key);
      if (!isSameRevision(found, entry) || !isFenceValid(fence, get)) return { changes: [], result: false };
      const changes: Change[] = [{ put: this.records.item(record), body: encryptedBody ?? null }];
      if (found.state === 'waiting') {
        const { count, bytes, lastTimestamp } = get<Totals>(totals) ?? EMPTY_TOTALS;
        const value: Totals = { count, bytes: bytes - found.size + record.size, lastTimestamp };
        changes.push({ put: { key: totals, value } });
      }
      return { changes, result: true };
    });
  }

  async result(key: string): Promise<ResultWithBody | undefined> {
    const stored = await this.records.store.get(this.records.keys.result(key));
    if (!stored) return undefined;
    const record = stored.value as ResultRecord;
    const [result, body] = await Promise.all([
      this.records.encryption.decryptResult(key, record),
      this.records.store.body(stored.key),
    ]);
    return {
      result,
      body:
        body &&
        (await this.records.encryption.decryptBody(
          body,
          resultContext({ key, partition: record.partition }),
          record.encrypted !== undefined,
        )),
    };
  }

  /** The stored result of an id; also after the entry has been deleted. */
  async resultOf(partition: string, id: string): Promise<ResultWithBody | undefined> {
    const key = await this.keyOf(partition, id);
    const record = (await this.records.store.get(this.records.keys.result(key)))?.value as
      | ResultRecord
      | undefined;
    return record?.partition === partition ? this.result(key) : undefined;
  }
}

/** The longest prefix with a total weight of at most `most`, and at least one item, if there is any. */
export function takeWhileUnder<T>(some: readonly T[], weigh: (one: T) => number, most: number): T[] {
  let sum = 0;
  const end = some.findIndex((one) => {
    sum += weigh(one);
    return sum > most;
  });
  return end < 0 ? [...some] : some.slice(0, Math.max(1, end));
}
