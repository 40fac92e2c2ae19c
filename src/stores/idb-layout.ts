import type { Change, StoredBody } from '../core/store.ts';

export const VERSION = 1;

/** Items, without their bodies, so that a page of them can be read without reading what they carry. */
export const ITEMS = 'items';
export const BODIES = 'bodies';
export const BY_GROUP = 'by-group';

export function createLayout(database: IDBDatabase): void {
  database.createObjectStore(ITEMS, { keyPath: 'key' }).createIndex(BY_GROUP, ['group', 'key']);
  database.createObjectStore(BODIES);
}

export function applyChanges(transaction: IDBTransaction, changes: Iterable<Change>): void {
  const items = transaction.objectStore(ITEMS);
  const bodies = transaction.objectStore(BODIES);
  for (const change of changes) {
    if ('delete' in change) {
      items.delete(change.delete);
      bodies.delete(change.delete);
      continue;
    }
    items.put(change.put);
    if (change.body === null) bodies.delete(change.put.key);
    else if (change.body !== undefined) bodies.put(unpacked.get(change.body as Blob) ?? change.body, change.put.key);
  }
}

/** How a blob is stored where blobs cannot be: in private windows of WebKit. */
interface Unpacked {
  readonly type: string;
  readonly bytes: ArrayBuffer;
}

const unpacked = new WeakMap<Blob, Unpacked>();

/** Has these blobs stored as bytes from now on. @returns whether there were any. */
export async function unpack(bodies: Iterable<StoredBody | null | undefined>): Promise<boolean> {
  const blobs = [...bodies].filter((body) => body instanceof Blob && !unpacked.has(body)) as Blob[];
  for (const blob of blobs) unpacked.set(blob, { type: blob.type, bytes: await blob.arrayBuffer() });
  return blobs.length > 0;
}

export const packed = (stored: StoredBody | Unpacked | undefined): StoredBody | undefined =>
  stored && typeof stored === 'object' && 'bytes' in stored && stored.bytes instanceof ArrayBuffer
    ? new Blob([stored.bytes], { type: (stored as Unpacked).type })
    : (stored as StoredBody | undefined);
