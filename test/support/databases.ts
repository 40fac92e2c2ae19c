import { onTestFinished } from 'vitest';
import { openRaw } from './raw-database.ts';

export { openRaw };

/** The name of a database of its own, which is deleted after the test. */
export function newName(): string {
  const name = `test-${crypto.randomUUID()}`;
  onTestFinished(() => void indexedDB.deleteDatabase(name));
  return name;
}

interface RawRecord {
  readonly item: { readonly key: string; readonly group?: string; readonly value: unknown };
  readonly body?: unknown;
}

export function writeRaw(database: IDBDatabase, records: readonly RawRecord[]): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(['items', 'bodies'], 'readwrite');
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    for (const { item, body } of records) {
      transaction.objectStore('items').put(item);
      if (body !== undefined) transaction.objectStore('bodies').put(body, item.key);
    }
  });
}

/** The items of a database at any version. */
export async function readRaw(name: string): Promise<{ version: number; items: unknown[] }> {
  const database = await openRaw(name);
  const { version, objectStoreNames } = database;
  try {
    return { version, items: objectStoreNames.contains('items') ? await all(database, 'items') : [] };
  } finally {
    database.close();
  }
}

function all(database: IDBDatabase, store: string): Promise<unknown[]> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(store);
    const request = transaction.objectStore(store).getAll();
    // Closed before that, the connection would be in the way of the next.
    transaction.oncomplete = () => resolve(request.result);
    transaction.onabort = () => reject(transaction.error);
  });
}
