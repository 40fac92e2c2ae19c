import type { Host } from '../../../core/contract.ts';
import { type Change, isQuotaExceeded, type StoredBody } from '../../../core/store.ts';
import { chance, newKey } from '../../../http/idempotency.ts';
import { isFailure } from '../../../primitives/failure.ts';
import type { OutboxEntry, Reason, ResultWithBody } from './entry.ts';
import type { Lease } from './lease.ts';
import { type PauseState, stopOrRelease } from './pauses.ts';
import type { Queue } from './queue.ts';
import {
  codeOnly,
  EMPTY_TOTALS,
  type EntryRecord,
  type Get,
  isSameRevision,
  type ReasonFields,
  type ResultRecord,
  type Totals,
  withoutResponse,
} from './records.ts';
import type { SerializedRequest } from './serialize.ts';

/** Computes the next record of an entry; `undefined` deletes it. Pure. */
type After = (found: EntryRecord) => EntryRecord | undefined;

/** The state that a sender began in. */
export interface Sender {
  /** Nothing changes if the lane was lost. */
  readonly lease?: Lease | undefined;
  /** Of the user: if there is one more by now, the response is not stored. */
  readonly signOuts?: number | undefined;
}

interface Details extends Sender {
  /** It changes all the same. */
  readonly alsoIfLost?: boolean;
  readonly body?: StoredBody | null;
  readonly result?: ResultWithBody;
}

/**
 * The one way in which an entry changes its state or its request: if it is still the revision that was read, and as one atomic change
 * with all that depends on it, so that a crash leaves every entry in exactly one state.
 *
 * @returns whether it was still that revision.
 */
async function transition(
  queue: Queue,
  entry: OutboxEntry,
  after: After,
  { lease, signOuts, alsoIfLost = false, body, result: given }: Details = {},
): Promise<boolean> {
  const { key, partition, lane, coalesceKey } = entry;
  const { keys } = queue;
  const unsent = coalesceKey === undefined ? undefined : keys.unsent(partition, lane, coalesceKey);
  const pauses = entry.blockLaneOnFailure ? keys.pauses(partition) : undefined;
  const ofUser = given && keys.pauses(partition);
  const stored = given && (await queue.encryption.encryptResult(entry, given));
  let mayDoWithout = false;
  const write = (withoutRoom: boolean): Promise<boolean> =>
    queue.change([key, keys.totals, unsent, pauses ?? ofUser, lease?.key], true, (get) => {
      const found = get<EntryRecord>(key);
      const isOurs = lease?.isValid(get) !== false || alsoIfLost;
      if (!isSameRevision(found, entry) || !isOurs) return { changes: [], result: false };
      const next = after(found);
      const isDead = next?.state === 'dead-letter';
      // A dead letter that stops its lane must be recorded as such.
      mayDoWithout = !next || (isDead && found.state === 'waiting' && !pauses);
      const changes: Change[] = [next ? { put: queue.item(next), body } : { delete: key }];
      if (unsent && next?.state !== 'waiting' && get<string>(unsent) === key)
        changes.push({ delete: unsent });
      if (!stored && !isDead) changes.push({ delete: keys.result(key) });
      if (!stored && !next) changes.push(...deletions(idKeys(queue, found)));
      if (withoutRoom) return { changes, result: true };
      changes.push(...adjustTotals(queue, get, found, next));
      if (pauses) changes.push(...stopOrRelease(pauses, get, found, isDead));
      if (stored) {
        const isKept = (ofUser && get<PauseState>(ofUser)?.signOuts) === signOuts;
        const result: ResultRecord = {
          ...stored.result,
          ...(found.aliases && { aliases: found.aliases }),
        };
        // There is no earlier result: a replay deletes it.
        changes.push({
          put: {
            key: keys.result(key),
            collection: keys.resultsOf(partition),
            value: isKept ? result : withoutResponse(result),
          },
          body: isKept ? stored.body : undefined,
        });
      }
      return { changes, result: true };
    });
  try {
    return await write(false);
  } catch (error) {
    // Or the response is larger than an item of this store may be.
    const isFull = isQuotaExceeded(error) || (isFailure(error) && !error.transient);
    if (!isFull || !mayDoWithout) throw error;
    // Deleting needs no room; the result and the totals need some.
    const ended = await write(true);
    // Deleting may have made room. If not, the totals are corrected when the queue is empty.
    if (ended) await uncount(queue, entry).catch(() => {});
    return ended;
  }
}

/** Deletes a delivered entry and stores its response. A delivery counts also if the lane was lost by then. */
export const acknowledge = (
  queue: Queue,
  entry: OutboxEntry,
  result: ResultWithBody,
  { lease, signOuts }: Sender = {},
): Promise<boolean> =>
  transition(queue, entry, () => undefined, { result, lease, signOuts, alsoIfLost: true });

/** Removes an entry in any state, with its ids and its result. */
export const remove = (queue: Queue, entry: OutboxEntry): Promise<boolean> =>
  transition(queue, entry, () => undefined);

/** Requeues a dead letter and deletes its result. */
export const requeue = (queue: Queue, entry: OutboxEntry, fields: Partial<EntryRecord>): Promise<boolean> =>
  transition(queue, entry, (found) => ({ ...found, ...fields, state: 'waiting' }));

/** Makes an entry a dead letter, with its reason and the response, if there is one. */
export const deadLetter = (
  queue: Queue,
  entry: OutboxEntry,
  fields: Partial<EntryRecord>,
  reason: Reason,
  { result, body }: ResultWithBody,
  { lease, signOuts }: Sender = {},
): Promise<boolean> =>
  withReason(queue, entry, reason, (written, isFull) =>
    transition(queue, entry, (found) => ({ ...found, ...fields, ...written, state: 'dead-letter' }), {
      result: { result: isFull ? result : { ...result, reason: { code: reason.code } }, body },
      lease,
      signOuts,
    }),
  );

/** Replaces the request of an entry, under a new idempotency key: the old one belongs to the request that was sent. */
export async function replaceRequest(
  queue: Queue,
  entry: OutboxEntry,
  { request, size, origin, key, body }: SerializedRequest,
  host: Host,
  fields: Partial<OutboxEntry> = {},
  lease?: Lease,
): Promise<boolean> {
  const { claimedAt: _, fingerprint: __, revision = 0, ...rest } = entry;
  // A request that was made from the old one still has the old key in its header.
  const idempotencyKey = key === undefined || key === entry.idempotencyKey ? newKey(host.random) : key;
  const after = { ...rest, ...fields, request, size, origin, idempotencyKey, revision: revision + 1 };
  const encrypted = await queue.encryption.encryptEntry(after, body, chance(host.random));
  return transition(queue, entry, () => encrypted.record, { body: encrypted.body ?? null, lease });
}

/** Records that an attempt begins; from here on the entry is not unsent. */
export const claim = (queue: Queue, entry: OutboxEntry, now: number, lease?: Lease): Promise<boolean> =>
  patch(queue, entry, { claimedAt: now }, true, lease);

/** Changes fields of an entry, and its reason. */
export const update = (
  queue: Queue,
  entry: OutboxEntry,
  { reason, ...fields }: Partial<OutboxEntry>,
  lease?: Lease,
): Promise<boolean> =>
  reason
    ? withReason(queue, entry, reason, (written) =>
        patch(queue, entry, { ...fields, ...written }, false, lease),
      )
    : patch(queue, entry, fields, false, lease);

/** Changes fields that nothing else depends on. */
const patch = (
  queue: Queue,
  entry: OutboxEntry,
  fields: Partial<EntryRecord>,
  strict: boolean,
  lease: Lease | undefined,
): Promise<boolean> =>
  queue.change([entry.key, lease?.key], strict, (get) => {
    const found = get<EntryRecord>(entry.key);
    if (!isSameRevision(found, entry) || lease?.isValid(get) === false) return { changes: [], result: false };
    return { changes: [{ put: queue.item({ ...found, ...fields }) }], result: true };
  });

/** A reason that cannot be stored must not keep the entry as it was for ever: then its code is written. */
async function withReason(
  queue: Queue,
  entry: OutboxEntry,
  reason: Reason,
  write: (fields: ReasonFields, isFull: boolean) => Promise<boolean>,
): Promise<boolean> {
  const fields = await queue.encryption.encryptReason(entry, reason);
  try {
    return await write(fields, true);
  } catch {
    return write(codeOnly(reason), false);
  }
}

/** The keys of the records of the ids of an entry. */
export const idKeys = (
  { keys }: Queue,
  { id, aliases = [], partition }: Pick<EntryRecord, 'id' | 'aliases' | 'partition'>,
): string[] => [id, ...aliases].map((each) => keys.alias(partition, each));

/** The deletions of these keys. */
export const deletions = (keys: readonly string[]): Change[] => keys.map((key) => ({ delete: key }));

type Sized = Pick<EntryRecord, 'state' | 'size'>;

/** The change of the totals after an entry has changed. */
function adjustTotals({ keys }: Queue, get: Get, before: Sized, after: Sized | undefined): Change[] {
  const [was, is] = [before, after].map((each) => (each?.state === 'waiting' ? 1 : 0)) as [number, number];
  const totals = get<Totals>(keys.totals) ?? EMPTY_TOTALS;
  const count = totals.count + is - was;
  const bytes = totals.bytes + is * (after?.size ?? 0) - was * before.size;
  if (count === totals.count && bytes === totals.bytes) return [];
  return [{ put: { key: keys.totals, value: { ...totals, count, bytes } } }];
}

/** Corrects the totals after an entry was deleted without them. */
const uncount = (queue: Queue, entry: OutboxEntry): Promise<void> =>
  queue.change([queue.keys.totals], false, (get) => ({
    changes: adjustTotals(queue, get, entry, undefined),
    result: undefined,
  }));
