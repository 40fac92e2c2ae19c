import { promisifyRequest } from 'idb-keyval';
import { type AtomicStore, explainedBy } from '../../core/store.ts';
import { ofType, readSettings } from '../../primitives/validate.ts';
import { groupCommit } from '../batch.ts';
import { commitChanges } from './changes.ts';
import { openDatabase } from './connection.ts';
import { bodyUnder, counted, distinct, ranged, rangeWithBodies } from './reads.ts';
import {
  Blobs,
  BODIES,
  BY_GROUP,
  createStores,
  ITEMS,
  type Stored,
  VERSION,
  withoutBody,
} from './records.ts';

export interface IndexedDBStoreOptions {
  /** The database. Default `'holdfast'`. Stores of one name share their entries. */
  readonly name?: string;
}

/**
 * Keeps entries in IndexedDB: bodies over 4 kB apart from their items, strict durability on demand.
 *
 * The database is opened at the first use, and again when the browser has closed the connection. An open that failed is an
 * error of that operation and is tried again at the next.
 *
 * @throws {StorageError} from each operation that failed, with the platform's error as `cause`; code `storage-newer`
 *   where a newer version of the page has written the database, which is left as it is.
 *
 * @example
 * const fetch = createFetch({
 *   partition: 'public',
 *   staleCache: staleCache({ store: indexedDBStore({ name: 'my-app' }) }),
 * });
 */
export function indexedDBStore(options: IndexedDBStoreOptions = {}): AtomicStore {
  const { name } = readSettings('indexedDBStore', { name: ['holdfast', ofType<string>('string')] }, options);
  const losses = new Set<() => void>();
  const connection = openDatabase(name, VERSION, createStores, () => {
    for (const lost of losses) lost();
  });

  const blobs = new Blobs(connection);
  const { change } = groupCommit((batch) =>
    explained('change', () => commitChanges(connection, batch, blobs)),
  );

  const reading = <T>(operation: string, read: (transaction: IDBTransaction) => Promise<T>): Promise<T> =>
    explained(operation, () => connection.transaction([ITEMS, BODIES], 'readonly', undefined, read));

  const listing = <T>(operation: string, read: (items: IDBObjectStore) => Promise<T>): Promise<T> =>
    explained(operation, () =>
      connection.transaction([ITEMS], 'readonly', undefined, (transaction) =>
        read(transaction.objectStore(ITEMS)),
      ),
    );

  return {
    name: `indexeddb:${name}`,
    durable: true,
    withinOrigin: true,
    get: (key) =>
      listing('get', async (items) => {
        const stored = await promisifyRequest<Stored | undefined>(items.get(key));
        return stored && withoutBody(stored);
      }),
    body: (key) => reading('body', (transaction) => bodyUnder(transaction, key)),
    range: (query) => listing('range', (items) => ranged(items, query)),
    rangeWithBodies: (query, pick) =>
      reading('rangeWithBodies', (transaction) => rangeWithBodies(transaction, query, pick)),
    groups: (prefix, limit) => listing('groups', (items) => distinct(items.index(BY_GROUP), prefix, limit)),
    count: (of) => listing('count', (items) => counted(items, of)),
    write: (changes) => change([], () => ({ changes, result: undefined })),
    change,
    onVanished(listener) {
      losses.add(listener);
      return () => void losses.delete(listener);
    },
    close: () => connection.close(),
  };
}

const explained = explainedBy('IndexedDB');
