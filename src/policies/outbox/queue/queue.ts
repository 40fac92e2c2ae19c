import type { AtomicStore, Change, Item, StoredBody } from '../../../core/store.ts';
import type { OutboxSettings } from '../options.ts';
import { RecordEncryption, withoutContent } from './encryption.ts';
import type { EntryWithBody, OutboxEntry, ResultWithBody } from './entry.ts';
import type { EntriesQuery } from './queries.ts';
import type { ResultRecord, Totals } from './records.ts';
import { EMPTY_TOTALS, type EntryRecord, type Get, type IdRecord, type Keys, keysOf } from './records.ts';

/** `'best-effort'`: an entry that cannot be decrypted comes without its content, to be removed. */
type DecryptMode = 'required' | 'best-effort';

type State = OutboxEntry['state'];

/** The records of one outbox: their keys, their encryption, how they are read, and atomic changes. */
export class Queue {
  readonly store: AtomicStore;
  readonly keys: Keys;
  readonly encryption: RecordEncryption;

  /** @param name Of the pipeline. */
  constructor(name: string, { store, encryption }: Pick<OutboxSettings, 'store' | 'encryption'>) {
    this.store = store;
    this.keys = keysOf(name);
    this.encryption = new RecordEncryption(encryption);
  }

  async value<T>(key: string): Promise<T | undefined> {
    return (await this.store.get(key))?.value as T | undefined;
  }

  /** An atomic change that reads values by key. */
  change<T>(
    keys: readonly (string | undefined)[],
    strict: boolean,
    decide: (get: Get) => { changes: readonly Change[]; result: T },
  ): Promise<T> {
    const wanted = keys.filter((key) => key !== undefined);
    return this.store.change(
      wanted,
      (found) => {
        const byKey = new Map(wanted.map((key, at) => [key, found[at]]));
        return decide(<V>(key: string) => byKey.get(key)?.value as V | undefined);
      },
      { strict },
    );
  }

  /** The item of an entry, in its groups. */
  item(record: EntryRecord): Item<EntryRecord> {
    const { key, state, partition, lane } = record;
    const { keys } = this;
    return {
      key,
      group: keys.lane(state, partition, lane),
      collection: keys.of(state, partition),
      value: record,
    };
  }

  /** The first entry of a lane, with its body. */
  async head(partition: string, lane: string): Promise<EntryWithBody | undefined> {
    const group = this.keys.lane('waiting', partition, lane);
    const [first] = await this.store.rangeWithBodies({ group, limit: 1 });
    return first && { entry: await this.#entry(first.value as EntryRecord), body: first.body };
  }

  /** @throws if it cannot be decrypted. */
  async body(entry: OutboxEntry): Promise<StoredBody | undefined> {
    return this.encryption.decryptBody({ entry, body: await this.store.body(entry.key) });
  }

  /** Whether a user has waiting entries. */
  async hasAny(partition: string): Promise<boolean> {
    return (await this.store.groups(this.keys.lane('waiting', partition, ''), 1)).length > 0;
  }

  /** The lanes of a user with waiting entries. */
  async lanes(partition: string): Promise<string[]> {
    const prefix = this.keys.lane('waiting', partition, '');
    return (await this.store.groups(prefix)).map((group) => decodeURIComponent(group.slice(prefix.length)));
  }

  async get(key: string, how?: DecryptMode): Promise<OutboxEntry | undefined> {
    const record = await this.value<EntryRecord>(key);
    return record && this.#entry(record, how);
  }

  /** The owner of an id; also after its entry and its result are gone, if it was delivered when the disk was full. */
  owner(partition: string, id: string): Promise<IdRecord | undefined> {
    return this.value(this.keys.alias(partition, id));
  }

  /** The key of the entry with an id, stored or not. */
  async keyOf(partition: string, id: string): Promise<string> {
    return (await this.owner(partition, id))?.key ?? this.keys.entry(id);
  }

  /** An entry by its id or alias. */
  async find(partition: string, id: string, how?: DecryptMode): Promise<OutboxEntry | undefined> {
    const entry = await this.get(await this.keyOf(partition, id), how);
    return entry?.partition === partition ? entry : undefined;
  }

  async list(
    partition: string,
    { state = 'waiting', lane, after, limit = 50 }: EntriesQuery,
    how?: DecryptMode,
  ): Promise<OutboxEntry[]> {
    const page = { limit, ...(after !== undefined && { after }) };
    const items = await this.store.range({ ...this.#listing(state, partition, lane), ...page });
    return Promise.all(items.map(({ value }) => this.#entry(value as EntryRecord, how)));
  }

  /** How many entries of a user, or of one lane, are in a state. */
  count(state: State, partition: string, lane?: string): Promise<number> {
    return this.store.count(this.#listing(state, partition, lane));
  }

  #listing(state: State, partition: string, lane?: string): { group: string } | { collection: string } {
    return lane === undefined
      ? { collection: this.keys.of(state, partition) }
      : { group: this.keys.lane(state, partition, lane) };
  }

  async #entry(record: EntryRecord, how?: DecryptMode): Promise<OutboxEntry> {
    const entry = this.encryption.decryptEntry(record);
    return how ? entry.catch(() => withoutContent(record)) : entry;
  }

  async totals(): Promise<Totals> {
    return (await this.value<Totals>(this.keys.totals)) ?? EMPTY_TOTALS;
  }

  /** The result of a user's entry; also after the entry has been deleted. @throws if it cannot be decrypted. */
  async result(key: string, partition: string): Promise<ResultWithBody | undefined> {
    const stored = this.keys.result(key);
    const record = await this.value<ResultRecord>(stored);
    if (record?.partition !== partition) return undefined;
    return this.encryption.decryptResult(key, record, await this.store.body(stored));
  }
}
