import type { Call } from '../../../core/contract.ts';
import { CapacityError } from '../../../core/errors.ts';
import type { Change, StoredBody } from '../../../core/store.ts';
import { newKey } from '../../../http/idempotency.ts';
import { HoldfastError } from '../../../primitives/failure.ts';
import { expected } from '../../../primitives/validate.ts';
import type { CallOutboxSettings, OutboxSettings } from '../options.ts';
import type { OutboxEntry } from './entry.ts';
import type { Queue } from './queue.ts';
import { EMPTY_TOTALS, type EntryRecord, type IdRecord, sortableTimestamp, type Totals } from './records.ts';
import type { SerializedRequest } from './serialize.ts';

/** A write before it has its id and key. */
export type EntryDraft = Omit<OutboxEntry, 'id' | 'key'> & { readonly id?: string | undefined };

export interface Accepted {
  readonly entry: OutboxEntry;
  /** The id was known: this is its entry. */
  readonly known: boolean;
}

/** The unsent entry of a `coalesce` key when it was read. */
export interface UnsentEntry {
  /** The entry that is, or was, there. */
  readonly pointer: string | undefined;
  /** It is still unsent. */
  readonly entry?: OutboxEntry;
}

/** The entry to insert: the write with the options of its call. @param merged The queued write that goes out with it. */
export function createDraft(
  { partition, host, own: options = {} }: Call,
  { id, lane, meta, coalesce, ...own }: CallOutboxSettings & { readonly lane: string },
  { request, size, origin, key }: SerializedRequest,
  settings: OutboxSettings,
  merged: OutboxEntry | undefined,
): EntryDraft {
  const now = host.clock.now();
  const { outbox: _, retry: __, ...rest } = options;
  const { expiresAfter = settings.expiresAfter, blockLaneOnFailure = settings.blockLaneOnFailure } = own;
  // The stricter options of two writes that go out as one.
  const isOnce = [own, ...(merged ? [merged] : [])].some(
    ({ delivery = settings.delivery }) => delivery === 'at-most-once',
  );
  const delivery = merged && isOnce ? 'at-most-once' : own.delivery;
  return {
    id,
    idempotencyKey: key ?? newKey(host.random),
    partition,
    lane,
    origin,
    state: 'waiting',
    acceptedAt: now,
    expiresAt: now + expiresAfter,
    ...(own.expiresAfter !== undefined && { ttl: own.expiresAfter }),
    notBefore: 0,
    attempts: 0,
    request,
    size,
    options: plain(rest),
    ...(meta !== undefined && { meta: settings.encryption ? asJSON(meta) : meta }),
    ...(coalesce && { coalesceKey: coalesce.key }),
    ...((blockLaneOnFailure || merged?.blockLaneOnFailure) && { blockLaneOnFailure: true }),
    ...(delivery && { delivery }),
  };
}

/**
 * Prepares a write for the commit.
 *
 * @param suffix Makes ids of the same moment different, and is the context of what is encrypted.
 * @param unsent The unsent entry of the `coalesce` key; `draft` is already merged with it.
 * @returns commits it with its key, ids and pointers as one atomic change, in the order in which such functions are called.
 */
export async function prepareInsert(
  queue: Queue,
  limits: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>,
  draft: EntryDraft,
  body: StoredBody | undefined,
  suffix: string,
  unsent?: UnsentEntry,
): Promise<(onBeforeWrite: () => void) => Promise<Accepted | undefined>> {
  const { keys, encryption } = queue;
  const { id, partition, lane, origin, coalesceKey } = draft;
  const encrypted = await encryption.encryptEntry({ ...draft, id: '', key: '' }, body, suffix);
  const { record } = encrypted;
  const fingerprint = id === undefined ? {} : await encryption.encryptFingerprint(record, draft.fingerprint);
  const alias = id === undefined ? undefined : keys.alias(partition, id);
  const pointer = coalesceKey === undefined ? undefined : keys.unsent(partition, lane, coalesceKey);
  const into = unsent?.entry;

  /**
   * @param onBeforeWrite Called right before the write; if it throws, the write is rejected.
   * @returns `undefined` if the `coalesce` key points elsewhere by now; nothing was written.
   * @throws {CapacityError} code `outbox-full`; stored entries are kept.
   * @throws {HoldfastError} code `id-conflict`: the id belongs to another write.
   */
  return async (onBeforeWrite) => {
    type Found = { readonly known: IdRecord } | { readonly inserted: EntryRecord } | undefined;
    const done = await queue.change<Found>([keys.totals, alias, pointer, into?.key], true, (get) => {
      onBeforeWrite();
      const known = alias && get<IdRecord>(alias);
      if (known) return { changes: [], result: { known } };
      const before = into && get<EntryRecord>(into.key);
      const isAsFound = !pointer || get<string>(pointer) === unsent?.pointer;
      if (!isAsFound || (into && !(before && isUnsent(before) && before.revision === into.revision)))
        return { changes: [], result: undefined };

      const totals = grown(get<Totals>(keys.totals) ?? EMPTY_TOTALS, before, record, limits);
      const made = `${sortableTimestamp(totals.lastTimestamp)}-${suffix}`;
      const inserted = before
        ? merged(before, record, id)
        : { ...record, id: id ?? made, key: keys.entry(made) };
      const { key, cipherContext } = inserted;
      const changes: Change[] = [
        // The earlier write may have had a body.
        { put: queue.item(inserted), body: encrypted.body ?? (before && null), isNew: !before },
        { put: { key: keys.totals, value: totals } },
      ];
      if (alias) {
        const context = cipherContext !== undefined && { cipherContext };
        const owner: IdRecord = { key, partition, lane, origin, ...context, ...fingerprint };
        changes.push({ put: { key: alias, collection: keys.ids(partition), value: owner } });
      }
      if (pointer) changes.push({ put: { key: pointer, value: key } });
      return { changes, result: { inserted } };
    });
    if (!done) return undefined;
    if ('known' in done) {
      await checkSameWrite(queue, draft, done.known);
      const { key, lane, origin } = done.known;
      return { entry: { ...draft, key, lane, origin } as OutboxEntry, known: true };
    }
    // From the draft: a commit that succeeded does not fail because the decryption key is unavailable.
    const { encrypted: _, encryptedReason: __, ...clear } = done.inserted;
    return { entry: { ...draft, ...clear, ...(id !== undefined && { id }) } as OutboxEntry, known: false };
  };
}

/** The unsent entry of a `coalesce` key. */
export async function readUnsent(
  queue: Queue,
  partition: string,
  lane: string,
  key: string,
): Promise<UnsentEntry> {
  const pointer = await queue.value<string>(queue.keys.unsent(partition, lane, key));
  const record = pointer === undefined ? undefined : await queue.value<EntryRecord>(pointer);
  if (!record || !isUnsent(record)) return { pointer };
  const entry = await queue.encryption.decryptEntry(record);
  return entry.unreadable ? { pointer } : { pointer, entry };
}

/** The totals with a write more, or with a larger one. @throws {CapacityError} with the current usage. */
function grown(
  { count, bytes, lastTimestamp }: Totals,
  before: EntryRecord | undefined,
  { size, acceptedAt }: EntryRecord,
  { maxEntries, maxBytes }: Pick<OutboxSettings, 'maxEntries' | 'maxBytes'>,
): Totals {
  const growth = size - (before?.size ?? 0);
  if ((!before && count >= maxEntries) || (growth > 0 && bytes + growth > maxBytes))
    throw new CapacityError(
      'outbox-full',
      `the outbox holds ${count} entries of ${bytes} bytes and takes no more`,
    );
  if (before) return { count, bytes: bytes + growth, lastTimestamp };
  return {
    count: count + 1,
    bytes: bytes + growth,
    // Never lower than the last, also if the clock moves backwards. An integer, as a key with a fraction would sort wrongly.
    lastTimestamp: Math.ceil(Math.max(acceptedAt, lastTimestamp + 1)),
  };
}

/** @throws if the id belongs to another write: the second one would be lost. */
async function checkSameWrite(
  { encryption }: Queue,
  { id, fingerprint, origin }: EntryDraft,
  known: IdRecord,
): Promise<void> {
  const before = await encryption.decryptFingerprint(known);
  // A fingerprint that cannot be decrypted cannot be compared.
  if (before === undefined || before === fingerprint) return;
  throw new HoldfastError(`outbox id '${id}' belongs to another write: give this one a new id`, {
    code: 'id-conflict',
    category: 'configuration',
    origin,
  });
}

/** No attempt has begun. */
const isUnsent = ({ state, claimedAt }: EntryRecord): boolean =>
  state === 'waiting' && claimedAt === undefined;

/** Two writes in one: the key of the earlier, the content of the later. */
function merged(before: EntryRecord, later: EntryRecord, id: string | undefined): EntryRecord {
  const { key, acceptedAt, aliases = [], revision = 0, notBefore, waitingSince, fromRetryAfter } = before;
  const all = id === undefined || id === before.id ? aliases : [...aliases, id];
  return {
    ...later,
    id: before.id,
    key,
    acceptedAt,
    revision: revision + 1,
    ...(fromRetryAfter && { notBefore, waitingSince, fromRetryAfter }),
    ...(all.length > 0 && { aliases: all }),
  };
}

/** The part of the options that can be stored: functions and signals are left out. */
const plain = (options: Record<string, unknown>): Record<string, unknown> =>
  // JSON has no infinity; as a limit, `false` means the same.
  JSON.parse(JSON.stringify(options, (_, value) => (value === Infinity ? false : value)));

/** Rejects data that JSON would change. */
const asJSON = (meta: unknown): unknown =>
  expected('JSON, which can be encrypted', isJSON(meta), meta, 'outbox.meta');

function isJSON(value: unknown, above: readonly unknown[] = []): boolean {
  if (value === null || ['string', 'boolean', 'undefined'].includes(typeof value)) return true;
  if (typeof value === 'number') return Number.isFinite(value);
  if (typeof value !== 'object' || above.includes(value)) return false;
  const isPlain = Array.isArray(value) || [Object.prototype, null].includes(Object.getPrototypeOf(value));
  return isPlain && Object.values(value).every((each) => isJSON(each, [...above, value]));
}
