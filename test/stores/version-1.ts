/** The database as pages of version 1 made it, by the platform's own calls, so that no change of ours changes it. */

export interface Record1 {
  readonly item: { readonly key: string; readonly group?: string; readonly value: unknown };
  readonly body?: unknown;
}

/** @returns the connection of a page that is still open; it closes when another wants a newer version, as ours did. */
export async function version1(name: string, records: readonly Record1[]): Promise<IDBDatabase> {
  const database = await openRaw(name, 1, (made) => {
    made.createObjectStore('items', { keyPath: 'key' }).createIndex('by-group', ['group', 'key']);
    made.createObjectStore('bodies');
  });
  database.onversionchange = () => database.close();
  await writeRaw(database, records);
  return database;
}

/** @param create Called where the database is new, or of an earlier version. */
export function openRaw(
  name: string,
  version?: number,
  create?: (database: IDBDatabase) => void,
): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => create?.(request.result);
    request.onerror = () => reject(request.error);
    request.onsuccess = () => resolve(request.result);
  });
}

export function writeRaw(database: IDBDatabase, records: readonly Record1[]): Promise<void> {
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

/** What there is, whatever the version. */
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
