import { promisifyRequest } from 'idb-keyval';
import {
  type AtomicStore,
  explainedBy,
  type ItemWithBody,
  type ListName,
  listingOf,
  prefixEnd,
  type RangeQuery,
} from '../../core/store.ts';
import { ofType, readSettings } from '../../primitives/validate.ts';
import { groupCommit } from '../group-commit.ts';
import { committer } from './commit.ts';
import { openDatabase } from './connection.ts';
import {
  BODIES,
  createStores,
  ITEMS,
  indexBy,
  type Stored,
  type StoredApart,
  storedBody,
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
  const connection = openDatabase(name, VERSION, createStores);
  const explained = explainedBy('IndexedDB');
  const commit = committer(connection);
  const { change, write } = groupCommit((batch) => explained('change', () => commit(batch)));

  const reading = <T>(
    operation: string,
    read: (items: IDBObjectStore, bodies: IDBObjectStore) => Promise<T>,
  ): Promise<T> =>
    explained(operation, () =>
      connection.transaction('readonly', 'default', (transaction) =>
        read(transaction.objectStore(ITEMS), transaction.objectStore(BODIES)),
      ),
    );

  return {
    name: `indexeddb:${name}`,
    durable: true,
    withinOrigin: true,
    get: (key) =>
      reading('get', async (items) => {
        const stored = await itemAt(items, key);
        return stored && withoutBody(stored);
      }),
    body: (key) =>
      reading('body', async (items, bodies) =>
        storedBody(...(await Promise.all([itemAt(items, key), bodyAt(bodies, key)]))),
      ),
    range: (query) => reading('range', async (items) => (await storedIn(items, query)).map(withoutBody)),
    rangeWithBodies(query) {
      const { prefix, ...rest } = query;
      return reading('rangeWithBodies', (items, bodies) =>
        prefix !== undefined && Object.keys(rest).length === 0
          ? allUnder(items, bodies, prefix)
          : foundIn(items, bodies, query),
      );
    },
    groups: (prefix, limit) => reading('groups', (items) => groupsIn(items, prefix, limit)),
    count: (of) =>
      reading('count', (items) => {
        const { by, name } = listingOf(of) as ListName;
        // No key is an array, and each comes before all arrays.
        return promisifyRequest(items.index(indexBy(by)).count(IDBKeyRange.bound([name], [name, []])));
      }),
    write,
    change,
    onVanished: connection.onVanished,
    close: connection.close,
  };
}

const itemAt = (items: IDBObjectStore, key: string): Promise<Stored | undefined> =>
  promisifyRequest(items.get(key));

const bodyAt = (bodies: IDBObjectStore, key: string): Promise<StoredApart | undefined> =>
  promisifyRequest(bodies.get(key));

async function storedIn(
  items: IDBObjectStore,
  { prefix = '', after = '', limit, ...of }: RangeQuery,
): Promise<Stored[]> {
  const low = after > prefix ? after : prefix;
  const high = prefixEnd(prefix);
  const excludesLow = low === after;
  // IndexedDB rejects a range of no key.
  if (low > high || (excludesLow && low === high)) return [];
  const listing = listingOf(of);
  const range = listing
    ? IDBKeyRange.bound([listing.name, low], [listing.name, high], excludesLow)
    : IDBKeyRange.bound(low, high, excludesLow);
  const source = listing ? items.index(indexBy(listing.by)) : items;
  return promisifyRequest<Stored[]>(source.getAll(range, limit));
}

async function foundIn(
  items: IDBObjectStore,
  bodies: IDBObjectStore,
  query: RangeQuery,
): Promise<ItemWithBody[]> {
  const found = await storedIn(items, query);
  return Promise.all(
    found.map(async (stored) => {
      const apart = 'body' in stored ? undefined : await bodyAt(bodies, stored.key);
      return { ...withoutBody(stored), body: storedBody(stored, apart) };
    }),
  );
}

/** Items and bodies are asked for at once: waiting in between costs as much as reading. */
async function allUnder(
  items: IDBObjectStore,
  bodies: IDBObjectStore,
  prefix: string,
): Promise<ItemWithBody[]> {
  const range = IDBKeyRange.bound(prefix, prefixEnd(prefix));
  const [found, under] = await Promise.all([
    promisifyRequest<Stored[]>(items.getAll(range)),
    promisifyRequest<StoredApart[]>(bodies.getAll(range)),
  ]);
  const apart = found.filter((stored) => !('body' in stored));
  // Written together, an item and its body are found together.
  const areKnown = apart.length < 2 && under.length === apart.length;
  const keys = areKnown ? apart.map(({ key }) => key) : await promisifyRequest(bodies.getAllKeys(range));
  const byKey = new Map(keys.map((key, at) => [key, under[at]]));
  return found.map((stored) => ({ ...withoutBody(stored), body: storedBody(stored, byKey.get(stored.key)) }));
}

/** Jumps from group to group without reading their items. */
async function groupsIn(items: IDBObjectStore, prefix: string, limit = Infinity): Promise<string[]> {
  const found: string[] = [];
  const range = IDBKeyRange.bound([prefix], [prefixEnd(prefix)]);
  const request = items.index(indexBy('group')).openKeyCursor(range);
  for (;;) {
    const cursor = await promisifyRequest(request);
    if (!cursor) return found;
    const [group] = cursor.key as [string];
    found.push(group);
    if (found.length >= limit) return found;
    cursor.continue([group, []]);
  }
}
