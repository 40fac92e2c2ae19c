import { get, promisifyRequest, type UseStore } from 'idb-keyval';
import { StorageError } from '../../core/errors.ts';
import type { AtomicStore, Change } from '../../core/store.ts';
import { ofType, readOptions } from '../../primitives/validate.ts';
import { collapseChanges } from '../batch.ts';
import { Blobs } from './blobs.ts';
import { applyChanges } from './changes.ts';
import { openDatabase } from './connection.ts';
import { groupCommit } from './group-commit.ts';
import { bodyUnder, counted, distinct, ranged, rangeWithBodies } from './reads.ts';
import { BODIES, BY_GROUP, createStores, ITEMS, type Stored, VERSION, withoutBody } from './records.ts';

export interface IndexedDBStoreOptions {
  /** The database. Default `'holdfast'`. Stores of one name share their entries. */
  readonly name?: string;
}

/**
 * Keeps entries in IndexedDB: bodies over 4 kB apart from their items, strict durability where it is asked for.
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
  const { name } = readOptions(
    'indexedDBStore',
    options,
    { name: ofType<string>('string') },
    { name: 'holdfast' },
  );
  const losses = new Set<() => void>();
  const connection = openDatabase(name, VERSION, createStores, () => {
    for (const lost of losses) lost();
  });

  /** idb-keyval's seam, over our own connection. */
  const over =
    (store: string): UseStore =>
    (mode, callback) =>
      connection.transaction([store], mode, undefined, (transaction) =>
        callback(transaction.objectStore(store)),
      );

  const items = over(ITEMS);
  const blobs = new Blobs(connection);
  const change = groupCommit(connection, blobs);

  const write = async (asked: readonly Change[]): Promise<void> => {
    const changes = [...collapseChanges(asked).values()];
    if (!blobs.ready(changes)) await blobs.prepare(changes);
    await connection.transaction([ITEMS, BODIES], 'readwrite', undefined, async (transaction) => {
      const done = promisifyRequest(transaction);
      // Handled below.
      done.catch(() => {});
      await applyChanges(transaction, changes, new Map(), blobs);
      return done;
    });
  };

  const reading = <T>(run: (transaction: IDBTransaction) => Promise<T>): Promise<T> =>
    connection.transaction([ITEMS, BODIES], 'readonly', undefined, run);

  return {
    name: `indexeddb:${name}`,
    durable: true,
    withinOrigin: true,
    get: (key) =>
      explained('get', async () => {
        const stored = await get<Stored>(key, items);
        return stored && withoutBody(stored);
      }),
    body: (key) => explained('body', () => reading((transaction) => bodyUnder(transaction, key, blobs))),
    range: (query) => explained('range', () => items('readonly', (store) => ranged(store, query))),
    rangeWithBodies: (query, pick) =>
      explained('rangeWithBodies', () =>
        reading((transaction) => rangeWithBodies(transaction, query, pick, blobs)),
      ),
    groups: (prefix, limit) =>
      explained('groups', () => items('readonly', (store) => distinct(store.index(BY_GROUP), prefix, limit))),
    count: (of) => explained('count', () => items('readonly', (store) => counted(store, of))),
    write: (changes) => explained('write', () => write(changes)),
    change: (keys, decide, options) => explained('change', () => change(keys, decide, options)),
    onVanished(listener) {
      losses.add(listener);
      return () => void losses.delete(listener);
    },
    close: () => connection.close(),
  };
}

/** What `decide` throws is the caller's; everything else says which operation failed. */
async function explained<T>(operation: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (cause) {
    // A transaction that the browser gave up has no error at all.
    if (cause !== null && !(cause instanceof DOMException)) throw cause;
    throw new StorageError(`IndexedDB: ${operation} failed: ${cause ?? 'the transaction was aborted'}`, {
      cause,
    });
  }
}
