import type { Change } from '../core/store.ts';
import type { Blobs } from './idb-blobs.ts';
import { BODIES, ITEMS } from './idb-layout.ts';

/**
 * Asks for everything at once; the transaction ends with the last of it.
 *
 * @throws what cannot be stored; then nothing of the transaction is.
 */
export function applyChanges(transaction: IDBTransaction, changes: Iterable<Change>, blobs: Blobs): void {
  try {
    askFor(transaction, changes, blobs);
  } catch (error) {
    // What was asked for before it would be committed all the same.
    transaction.abort();
    throw error;
  }
}

function askFor(transaction: IDBTransaction, changes: Iterable<Change>, blobs: Blobs): void {
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
