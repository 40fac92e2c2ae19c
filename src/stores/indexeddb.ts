import { get, promisifyRequest, type UseStore } from 'idb-keyval';
import { readOptions, typed } from '../core/check.ts';
import { StorageError } from '../core/errors.ts';
import {
  type AtomicStore,
  type Change,
  endOf,
  type Item,
  type RangeQuery,
  type StoredBody,
} from '../core/store.ts';
import { Blobs } from './idb-blobs.ts';
import { applyChanges } from './idb-changes.ts';
import { openDatabase } from './idb-connection.ts';
import { groupCommit } from './idb-group-commit.ts';
import { BODIES, BY_COLLECTION, BY_GROUP, ITEMS } from './idb-layout.ts';
import { upgrade, VERSION } from './idb-upgrade.ts';

export interface IndexedDBStoreOptions {
  /** The database. Default `'holdfast'`. Stores of one name share their entries. */
  readonly name?: string;
}

/**
 * Keeps entries in IndexedDB: items and bodies as separate records, strict durability where it is asked for.
 *
 * The database is opened at the first use, and again when the browser has closed the connection. An open that failed or
 * is blocked is an error of that operation and is tried again at the next. A database of an earlier version is upgraded
 * then, with all that is in it.
 *
 * @throws {StorageError} from each operation that failed, with the platform's error as `cause`; code `storage-newer`
 *   where a newer version of the page has written the database, which is left as it is.
 */
export function indexedDBStore(options: IndexedDBStoreOptions = {}): AtomicStore {
  const { name } = readOptions(
    'indexedDBStore',
    options,
    { name: typed<string>('string') },
    { name: 'holdfast' },
  );
  const connection = openDatabase(name, VERSION, upgrade);

  /** idb-keyval's seam, over our own connection. */
  const over =
    (store: string): UseStore =>
    (mode, callback) =>
      connection.transaction([store], mode, undefined, (transaction) =>
        callback(transaction.objectStore(store)),
      );

  const items = over(ITEMS);
  const bodies = over(BODIES);
  const blobs = new Blobs(connection);
  const change = groupCommit(connection, blobs);

  const write = async (changes: readonly Change[]): Promise<void> => {
    if (!blobs.ready(changes)) await blobs.prepare(changes);
    await connection.transaction([ITEMS, BODIES], 'readwrite', undefined, (transaction) => {
      applyChanges(transaction, changes, blobs);
      return promisifyRequest(transaction);
    });
  };

  return {
    name: `indexeddb:${name}`,
    durable: true,
    withinOrigin: true,
    get: (key) => explained('get', () => get<Item>(key, items)),
    body: (key) => explained('body', async () => blobs.unpacked(await get<StoredBody>(key, bodies))),
    range: ({ prefix = '', after = '', limit, ...of }) =>
      explained('range', () =>
        items('readonly', (store) => {
          const low = after > prefix ? after : prefix;
          const high = endOf(prefix);
          if (low > high) return [];
          const open = low === after;
          const listing = listingOf(of);
          const range = listing
            ? IDBKeyRange.bound([listing.name, low], [listing.name, high], open)
            : IDBKeyRange.bound(low, high, open);
          const source = listing ? store.index(listing.index) : store;
          return promisifyRequest<Item[]>(source.getAll(range, limit));
        }),
      ),
    wholes: (prefix) =>
      explained('wholes', () =>
        connection.transaction([ITEMS, BODIES], 'readonly', undefined, async (transaction) => {
          const range = IDBKeyRange.bound(prefix, endOf(prefix));
          const store = transaction.objectStore(BODIES);
          // Asked for at once: waiting in between costs as much as reading.
          const [found, bodies] = await Promise.all([
            promisifyRequest<Item[]>(transaction.objectStore(ITEMS).getAll(range)),
            promisifyRequest<StoredBody[]>(store.getAll(range)),
          ]);
          // Written together, a copy and its body are found together.
          const isOne = found.length === 1 && bodies.length === 1;
          const keys = isOne ? [found[0]?.key] : await promisifyRequest(store.getAllKeys(range));
          const byKey = new Map(keys.map((key, at) => [key, bodies[at]]));
          return found.map((item) => ({ ...item, body: blobs.unpacked(byKey.get(item.key)) }));
        }),
      ),
    groups: (prefix, limit) =>
      explained('groups', () => items('readonly', (store) => distinct(store.index(BY_GROUP), prefix, limit))),
    count: (of) =>
      explained('count', () =>
        items('readonly', (store) => {
          const { index, name } = listingOf(of) as Listing;
          // No key is an array, and each comes before all arrays.
          return promisifyRequest(store.index(index).count(IDBKeyRange.bound([name], [name, []])));
        }),
      ),
    write: (changes) => explained('write', () => write(changes)),
    change: (keys, decide, options) => explained('change', () => change(keys, decide, options)),
    close: () => connection.close(),
  };
}

interface Listing {
  readonly index: string;
  readonly name: string;
}

/** Where the items of a group or a collection are listed; all of them are by themselves. */
function listingOf({ group, collection }: Pick<RangeQuery, 'group' | 'collection'>): Listing | undefined {
  if (group !== undefined) return { index: BY_GROUP, name: group };
  return collection === undefined ? undefined : { index: BY_COLLECTION, name: collection };
}

/** Jumps from group to group instead of reading what is in them. */
async function distinct(index: IDBIndex, prefix: string, limit = Infinity): Promise<string[]> {
  const found: string[] = [];
  const request = index.openKeyCursor(IDBKeyRange.bound([prefix], [endOf(prefix)]));
  return new Promise((resolve, reject) => {
    request.onerror = () => reject(request.error);
    request.onsuccess = () => {
      const cursor = request.result;
      if (!cursor) return resolve(found);
      const [group] = cursor.key as [string];
      found.push(group);
      if (found.length >= limit) return resolve(found);
      cursor.continue([group, []]);
    };
  });
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
