import { promisifyRequest } from 'idb-keyval';
import type { Change } from '../../core/store.ts';
import { keyOfChange, type PendingChange, resolveBatch } from '../batch.ts';
import type { IdbConnection } from './connection.ts';
import {
  type Blobs,
  BODIES,
  hasExternalBody,
  ITEMS,
  isSmall,
  type Stored,
  toOwnBuffer,
  withoutBody,
} from './records.ts';

/**
 * Commits changes as one transaction.
 *
 * @returns settles each of them; they are on the disk.
 */
export async function commitChanges(
  connection: IdbConnection,
  batch: readonly PendingChange[],
  blobs: Blobs,
): Promise<readonly (() => void)[]> {
  const durability = batch.some(({ strict }) => strict) ? 'strict' : 'relaxed';
  const stores = [ITEMS, BODIES];
  let changes: readonly Change[] = [];
  const settle = await connection.transaction(stores, 'readwrite', durability, async (transaction) => {
    const done = promisifyRequest(transaction);
    // Handled below; until then a failed read must not make it an unhandled rejection.
    done.catch(() => {});
    // The transaction stays open as long as the handler of the last request runs.
    const found = await read(transaction, [...new Set(batch.flatMap(({ keys }) => keys))]);
    const resolved = resolveBatch(
      batch,
      found.map(([key, stored]) => [key, stored && withoutBody(stored)]),
    );
    changes = [...resolved.changes.values()];
    if (!blobs.ready(changes)) return transaction.abort();
    await applyChanges(transaction, changes, new Map(found), blobs);
    await done;
    return resolved.settle;
  });
  if (!settle) {
    await blobs.prepare(changes);
    return commitChanges(connection, batch, blobs);
  }
  return settle;
}

/** Stored items by key; `undefined`: none. A key that is absent was not read. */
type Known = ReadonlyMap<string, Stored | undefined>;

/**
 * Asks for everything; the transaction ends with the last of it.
 *
 * @param changes One for each key.
 * @throws the error of a value that cannot be stored; then the transaction writes nothing.
 */
async function applyChanges(
  transaction: IDBTransaction,
  changes: readonly Change[],
  known: Known,
  blobs: Blobs,
): Promise<void> {
  const kept = changes.filter(keepsBody).map(keyOfChange);
  const unread = kept.filter((key) => !known.has(key));
  const all = unread.length === 0 ? known : new Map([...known, ...(await read(transaction, unread))]);
  try {
    askFor(transaction, changes, all, blobs);
  } catch (error) {
    // Earlier requests of the transaction would be committed all the same.
    transaction.abort();
    throw error;
  }
}

/** Reads the items of keys: one request a key, in order. */
async function read(
  transaction: IDBTransaction,
  keys: readonly string[],
): Promise<(readonly [key: string, stored: Stored | undefined])[]> {
  const items = transaction.objectStore(ITEMS);
  return Promise.all(
    keys.map(async (key) => [key, await promisifyRequest<Stored | undefined>(items.get(key))] as const),
  );
}

/** The body that was stored stays, and that may be within the item. */
const keepsBody = (change: Change): boolean => 'put' in change && change.body === undefined && !change.isNew;

function askFor(transaction: IDBTransaction, changes: readonly Change[], known: Known, blobs: Blobs): void {
  const items = transaction.objectStore(ITEMS);
  const bodies = transaction.objectStore(BODIES);
  for (const change of changes) {
    const key = keyOfChange(change);
    const before = known.get(key);
    const isNew = 'put' in change && change.isNew;
    const leavesBody = known.has(key) || isNew ? hasExternalBody(before) : true;
    if ('delete' in change) {
      items.delete(key);
      if (leavesBody) bodies.delete(key);
      continue;
    }
    const { put, body = before ? before.body : null } = change;
    if (body === undefined) items.put(put);
    else if (body === null || isSmall(body)) {
      items.put({ ...put, body: body && toOwnBuffer(body) });
      if (leavesBody) bodies.delete(key);
    } else {
      items.put(put);
      bodies.put(blobs.encoded(toOwnBuffer(body)), key);
    }
  }
}
