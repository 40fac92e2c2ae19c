import type { Change } from '../core/store.ts';
import type { Blobs } from './idb-blobs.ts';

export const VERSION = 1;

/** Items, without their bodies, so that a page of them can be read without reading what they carry. */
export const ITEMS = 'items';
export const BODIES = 'bodies';
export const BY_GROUP = 'by-group';

export function createLayout(database: IDBDatabase): void {
  database.createObjectStore(ITEMS, { keyPath: 'key' }).createIndex(BY_GROUP, ['group', 'key']);
  database.createObjectStore(BODIES);
}

export function applyChanges(transaction: IDBTransaction, changes: Iterable<Change>, blobs: Blobs): void {
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
    else if (change.body !== undefined) bodies.put(blobs.packed(change.body), change.put.key);
  }
}
