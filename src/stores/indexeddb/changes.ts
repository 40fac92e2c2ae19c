import { promisifyRequest } from 'idb-keyval';
import type { Change, StoredBody } from '../../core/store.ts';
import { blobsOf, type PendingChange, resolveBatch } from '../batch.ts';
import type { IdbConnection } from './connection.ts';
import { BODIES, ITEMS, type Stored, type UnpackedBlob, withoutBody } from './records.ts';

/**
 * Commits each batch as one transaction.
 *
 * Blobs stay blobs, but in private windows of WebKit, which cannot store them: there they are kept as bytes. It has to
 * be known beforehand, because a transaction that fails of it, and has done something else before, never ends.
 *
 * @returns settles each change; they are on the disk.
 */
export function committer(connection: IdbConnection) {
  const unpacked = new WeakMap<Blob, UnpackedBlob>();
  let storesBlobs: boolean | undefined;

  const commit = async (batch: readonly PendingChange[]): Promise<readonly (() => void)[]> => {
    let unready: readonly Blob[] = [];
    const durability = batch.some(({ strict }) => strict) ? 'strict' : 'relaxed';
    const settle = await connection.transaction('readwrite', durability, async (transaction) => {
      const done = promisifyRequest(transaction);
      // Awaited below; until then a failed read must not make it an unhandled rejection.
      done.catch(() => {});
      // The transaction stays open as long as the handler of the last request runs.
      const known = new Map(await read(transaction, new Set(batch.flatMap(({ keys }) => keys))));
      const { changes, settle } = resolveBatch(
        batch,
        [...known].map(([key, stored]) => [key, stored && withoutBody(stored)]),
      );
      unready = storesBlobs ? [] : blobsOf(changes.values()).filter((blob) => !unpacked.has(blob));
      if (unready.length > 0) return transaction.abort();
      // Where the body that was stored stays, it may be within the item.
      const kept = [...changes.values()].flatMap((change) =>
        'put' in change && change.body === undefined && !change.isNew ? [change.put.key] : [],
      );
      const unread = kept.filter((key) => !known.has(key));
      for (const [key, stored] of await read(transaction, unread)) known.set(key, stored);
      try {
        askFor(transaction, changes, known, unpacked);
      } catch (error) {
        // Earlier requests of the transaction would be committed all the same.
        transaction.abort();
        throw error;
      }
      await done;
      return settle;
    });
    if (settle) return settle;
    storesBlobs ??= await canStoreBlobs(connection);
    if (!storesBlobs)
      for (const blob of unready) unpacked.set(blob, { type: blob.type, bytes: await blob.arrayBuffer() });
    return commit(batch);
  };
  return commit;
}

/** Reads the items of keys: one request a key, in order. */
const read = (
  transaction: IDBTransaction,
  keys: Iterable<string>,
): Promise<(readonly [key: string, stored: Stored | undefined])[]> => {
  const items = transaction.objectStore(ITEMS);
  return Promise.all(
    Array.from(
      keys,
      async (key) => [key, await promisifyRequest<Stored | undefined>(items.get(key))] as const,
    ),
  );
};

/**
 * Asks for all changes; the transaction ends with the last of them.
 *
 * @param known Stored items by key; `undefined`: none. A key that is absent was not read.
 * @throws the error of a value that cannot be stored.
 */
function askFor(
  transaction: IDBTransaction,
  changes: ReadonlyMap<string, Change>,
  known: ReadonlyMap<string, Stored | undefined>,
  unpacked: WeakMap<Blob, UnpackedBlob>,
): void {
  const items = transaction.objectStore(ITEMS);
  const bodies = transaction.objectStore(BODIES);
  for (const [key, change] of changes) {
    const before = known.get(key);
    const isKnown = known.has(key) || ('put' in change && change.isNew);
    const leavesBody = !isKnown || (before && !('body' in before));
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
      bodies.put((body instanceof Blob && unpacked.get(body)) || toOwnBuffer(body), key);
    }
  }
}

/** So many characters or bytes are small: a page of items has to remain cheap to read. */
const SMALL = 4_096;

const isSmall = (body: StoredBody): boolean =>
  typeof body === 'string' ? body.length <= SMALL : !(body instanceof Blob) && body.byteLength <= SMALL;

/** A view would be written with all of the buffer that it looks into. */
const toOwnBuffer = (body: StoredBody): StoredBody =>
  body instanceof Uint8Array && body.byteLength < body.buffer.byteLength ? new Uint8Array(body) : body;

const PROBE = 'can blobs be stored?';

async function canStoreBlobs(connection: IdbConnection): Promise<boolean> {
  const write = (use: (bodies: IDBObjectStore) => void): Promise<void> =>
    connection.transaction('readwrite', 'relaxed', (transaction) => {
      use(transaction.objectStore(BODIES));
      return promisifyRequest(transaction);
    });
  try {
    await write((bodies) => bodies.put(new Blob(['?']), PROBE));
    await write((bodies) => bodies.delete(PROBE));
    return true;
  } catch {
    return false;
  }
}
