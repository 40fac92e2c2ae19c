import { CapacityError } from '../../../core/errors.ts';
import type { Change, Item, StoredBody } from '../../../core/store.ts';
import { HoldfastError } from '../../../primitives/failure.ts';
import type { OutboxSettings } from '../options.ts';
import { contentContext, type EntryRecord, type IdRecord } from './encryption.ts';
import type { OutboxEntry } from './entry.ts';
import { EMPTY_TOTALS, type Records, sortableTimestamp, type Totals } from './records.ts';

/** A write before it has its id and key. */
export type EntryDraft = Omit<OutboxEntry, 'id' | 'key'> & { readonly id?: string | undefined };

export interface Accepted {
  readonly entry: OutboxEntry;
  /** The id was known: this is its entry. */
  readonly known: boolean;
}

/** The records of a write, encrypted if the application wants it. */
interface PreparedEntry {
  readonly record: EntryRecord;
  readonly body: StoredBody | undefined;
  readonly fingerprint: Pick<IdRecord, 'fingerprint' | 'encrypted'>;
}

/** The outcome of an insertion: the known owner of the id, or the new entry. */
interface Insertion {
  readonly known?: IdRecord;
  readonly whole?: EntryRecord;
}

/** What a `coalesce` key pointed to when it was read. */
export interface UnsentEntry {
  /** The entry that is, or was, there. */
  readonly pointer: string | undefined;
  /** It is still unsent. */
  readonly entry?: OutboxEntry;
}

/** Inserts writes within the limits, each with its key, ids and pointers, as one atomic change. */
export class EntryInserter {
  readonly #records: Records;
  readonly #limits: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>;

  constructor(records: Records, limits: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>) {
    this.#records = records;
    this.#limits = limits;
  }

  /**
   * Prepares a write for the commit.
   *
   * @param chance Makes ids of the same moment different.
   * @param unsent What the `coalesce` key pointed to; `draft` has been merged into its entry.
   * @returns commits it to the disk, in the order in which such functions are called.
   */
  async prepare(
    draft: EntryDraft,
    body: StoredBody | undefined,
    chance: string,
    unsent?: UnsentEntry,
  ): Promise<(onBeforeWrite: () => void) => Promise<Accepted | undefined>> {
    const record = await this.#records.encryption.encryptEntry({ ...draft, id: '', key: '' });
    const { encryption } = this.#records;
    const encryptedBody = body && (await encryption.encryptBody(body, contentContext(record)));
    const fingerprint =
      draft.id === undefined ? {} : await encryption.encryptFingerprint(record, draft.fingerprint);
    return (onBeforeWrite) =>
      this.#accept(draft, { record, body: encryptedBody, fingerprint }, chance, onBeforeWrite, unsent);
  }

  /**
   * @param onBeforeWrite Called right before the write; if it throws, the write is rejected.
   * @returns `undefined` if the `coalesce` key points elsewhere by now; nothing was written.
   * @throws {CapacityError} code `outbox-full`; what is there is kept.
   * @throws {HoldfastError} code `id-conflict`: the id belongs to another write.
   */
  async #accept(
    draft: EntryDraft,
    { record, body, fingerprint }: PreparedEntry,
    chance: string,
    onBeforeWrite: () => void,
    unsent: UnsentEntry | undefined,
  ): Promise<Accepted | undefined> {
    const { totals, ...places } = this.#keysOf(draft);
    const into = unsent?.entry;
    const keys = [totals, places.alias, places.unsent, into?.key];
    const accepted = await this.#records.change<Insertion | undefined>(keys, true, (get) => {
      onBeforeWrite();
      const known = places.alias && get<IdRecord>(places.alias);
      if (known) return { changes: [], result: { known } };
      const before = into && get<EntryRecord>(into.key);
      const isAsFound = !places.unsent || get<string>(places.unsent) === unsent?.pointer;
      if (!isAsFound || (into && !(before && isUnsent(before) && before.revision === into.revision)))
        return { changes: [], result: undefined };

      const { count, bytes, lastTimestamp } = get<Totals>(totals) ?? EMPTY_TOTALS;
      const after: Totals = before
        ? { count, bytes: bytes - before.size + record.size, lastTimestamp }
        : // Never lower than the last, also if the clock moves backwards. An integer, as a key with a fraction would sort
          // wrongly.
          {
            count: count + 1,
            bytes: bytes + record.size,
            lastTimestamp: Math.ceil(Math.max(record.acceptedAt, lastTimestamp + 1)),
          };
      this.#checkCapacity(after, count, bytes);
      const made = `${sortableTimestamp(after.lastTimestamp)}-${chance}`;
      const whole = before
        ? merged(before, record, draft.id)
        : { ...record, id: draft.id ?? made, key: this.#records.keys.entry(made) };
      const changes: Change[] = [
        // The earlier write may have had a body.
        { put: this.#records.item(whole), body: body ?? (before && null), isNew: !before },
        { put: { key: totals, value: after } },
      ];
      if (places.alias) changes.push({ put: this.#idRecord(places.alias, whole, fingerprint) });
      if (places.unsent) changes.push({ put: { key: places.unsent, value: whole.key } });
      return { changes, result: { whole } };
    });
    if (!accepted) return undefined;
    const { known, whole } = accepted;
    if (known) await this.#checkSameWrite(draft, known);
    // The commit succeeded; don't fail because the decryption key is unavailable.
    const entry = known ? existingEntry(draft, known) : acceptedEntry(draft, whole as EntryRecord);
    return {
      entry: { ...entry, ...(draft.id !== undefined && { id: draft.id }) },
      known: known !== undefined,
    };
  }

  /** Nothing of the write: an id is remembered for longer than its entry. */
  #idRecord(
    place: string,
    { key, cipherContext, partition, lane, origin }: EntryRecord,
    fingerprint: PreparedEntry['fingerprint'],
  ): Item<IdRecord> {
    const value = {
      key,
      partition,
      lane,
      origin,
      ...(cipherContext !== undefined && { cipherContext }),
      ...fingerprint,
    };
    return { key: place, collection: this.#records.keys.ids(partition), value };
  }

  /** @throws if the id belongs to another write: the second one would be lost. */
  async #checkSameWrite({ id, fingerprint, origin }: EntryDraft, known: IdRecord): Promise<void> {
    const before = await this.#records.encryption.decryptFingerprint(known);
    // A fingerprint that cannot be decrypted cannot be compared.
    if (before === undefined || before === fingerprint) return;
    throw new HoldfastError(`outbox id '${id}' belongs to another write`, {
      code: 'id-conflict',
      category: 'configuration',
      origin,
    });
  }

  /** The unsent entry of a `coalesce` key. */
  async unsent(partition: string, lane: string, key: string): Promise<UnsentEntry> {
    const pointer = (await this.#records.store.get(this.#records.keys.unsent(partition, lane, key)))?.value as
      | string
      | undefined;
    const record = pointer === undefined ? undefined : await this.#records.read(pointer);
    if (!record || !isUnsent(record)) return { pointer };
    const entry = await this.#records.encryption.decryptEntry(record);
    return entry.unreadable ? { pointer } : { pointer, entry };
  }

  /** @throws CapacityError with the current usage. */
  #checkCapacity(after: Totals, count: number, bytes: number): void {
    const { maxEntries, maxBytes } = this.#limits;
    if ((after.count > count && after.count > maxEntries) || (after.bytes > bytes && after.bytes > maxBytes))
      throw new CapacityError(
        'outbox-full',
        `the outbox holds ${count} entries of ${bytes} bytes and takes no more`,
      );
  }

  #keysOf({ id, partition, lane, coalesceKey }: EntryDraft): {
    totals: string;
    alias?: string;
    unsent?: string;
  } {
    return {
      totals: this.#records.keys.totals,
      ...(id !== undefined && { alias: this.#records.keys.alias(partition, id) }),
      ...(coalesceKey !== undefined && { unsent: this.#records.keys.unsent(partition, lane, coalesceKey) }),
    };
  }
}

/** No attempt has begun. */
const isUnsent = ({ state, claimedAt }: EntryRecord): boolean =>
  state === 'waiting' && claimedAt === undefined;

/** The new entry, from the draft: no decryption. */
function acceptedEntry(
  draft: EntryDraft,
  { encrypted: _, encryptedReason: __, ...clear }: EntryRecord,
): OutboxEntry {
  return { ...draft, ...clear } as OutboxEntry;
}

/** Two writes in one: the key of the earlier, the content of the later. */
function merged(before: EntryRecord, later: EntryRecord, id: string | undefined): EntryRecord {
  const { key, acceptedAt, aliases = [] } = before;
  const all = id === undefined || id === before.id ? aliases : [...aliases, id];
  return {
    ...later,
    id: before.id,
    key,
    acceptedAt,
    revision: (before.revision ?? 0) + 1,
    ...(all.length > 0 && { aliases: all }),
  };
}

/** The entry of an id that was known. */
const existingEntry = (draft: EntryDraft, { key, lane, origin }: IdRecord): OutboxEntry =>
  ({ ...draft, key, lane, origin }) as OutboxEntry;
