import { promisifyRequest } from 'idb-keyval';
import type { Change, StoredBody } from '../../core/store.ts';
import { blobsOf, type PendingChange, resolveBatch } from '../group-commit.ts';
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
      const items = transaction.objectStore(ITEMS);
      const known: Known = new Map();
      await read(items, new Set(batch.flatMap(({ keys }) => keys)), known);
      const { changes, settle } = resolveBatch(
        batch,
        [...known].map(([key, stored]) => [key, stored && withoutBody(stored)]),
      );
      unready = storesBlobs ? [] : blobsOf(changes.values()).filter((blob) => !unpacked.has(blob));
      if (unready.length > 0) return transaction.abort();
      // Where the body that was stored stays, it may be within the item.
      const unread = [...changes.values()].flatMap((change) =>
        'put' in change && change.body === undefined && !change.isNew && !known.has(change.put.key)
          ? [change.put.key]
          : [],
      );
      await read(items, unread, known);
      try {
        askFor(items, transaction.objectStore(BODIES), changes, known, unpacked);
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

/** Stored items by key; `undefined`: none. A key that is absent was not read. */
type Known = Map<string, Stored | undefined>;

/** Reads more items: one request a key, in order. */
const read = (items: IDBObjectStore, keys: Iterable<string>, known: Known): Promise<unknown> =>
  Promise.all(Array.from(keys, async (key) => known.set(key, await promisifyRequest(items.get(key)))));

/** Asks for all changes; the transaction ends with the last of them. @throws the error of a value that cannot be stored. */
function askFor(
  items: IDBObjectStore,
  bodies: IDBObjectStore,
  changes: ReadonlyMap<string, Change>,
  known: Known,
  unpacked: WeakMap<Blob, UnpackedBlob>,
): void {
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
