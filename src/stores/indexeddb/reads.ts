import { promisifyRequest } from 'idb-keyval';
import {
  type AtomicStore,
  type Item,
  type ItemWithBody,
  prefixEnd,
  type RangeQuery,
  type StoredBody,
} from '../../core/store.ts';
import { BODIES, BY_COLLECTION, BY_GROUP, ITEMS, type Stored, unpacked, withoutBody } from './records.ts';

interface Listing {
  readonly index: string;
  readonly name: string;
}

/** Where the items of a group or a collection are listed; all of them are by themselves. */
function listingOf({ group, collection }: Pick<RangeQuery, 'group' | 'collection'>): Listing | undefined {
  if (group !== undefined) return { index: BY_GROUP, name: group };
  return collection === undefined ? undefined : { index: BY_COLLECTION, name: collection };
}

/** Items without their bodies, in the order of their keys. */
export const ranged = async (items: IDBObjectStore, query: RangeQuery): Promise<Item[]> =>
  (await storedIn(items, query)).map(withoutBody);

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
  const source = listing ? items.index(listing.index) : items;
  return promisifyRequest<Stored[]>(source.getAll(range, limit));
}

/** Items with the body that was written with each. */
export function rangeWithBodies(
  transaction: IDBTransaction,
  query: RangeQuery,
  pick: ((found: Item[]) => Item[]) | undefined,
): Promise<ItemWithBody[]> {
  const { prefix, ...rest } = query;
  return prefix !== undefined && !pick && Object.keys(rest).length === 0
    ? allUnder(transaction, prefix)
    : picked(transaction, query, pick);
}

async function picked(
  transaction: IDBTransaction,
  query: RangeQuery,
  pick: (found: Item[]) => Item[] = (found) => found,
): Promise<ItemWithBody[]> {
  const stored = await storedIn(transaction.objectStore(ITEMS), query);
  const byKey = new Map(stored.map((each) => [each.key, each]));
  return Promise.all(
    pick(stored.map(withoutBody)).map(async (item) => {
      const found = byKey.get(item.key) as Stored;
      return { ...item, body: await bodyOf(transaction, found) };
    }),
  );
}

/** Items and bodies are asked for at once: waiting in between costs as much as reading. */
async function allUnder(transaction: IDBTransaction, prefix: string): Promise<ItemWithBody[]> {
  const range = IDBKeyRange.bound(prefix, prefixEnd(prefix));
  const store = transaction.objectStore(BODIES);
  const [found, bodies] = await Promise.all([
    promisifyRequest<Stored[]>(transaction.objectStore(ITEMS).getAll(range)),
    promisifyRequest<StoredBody[]>(store.getAll(range)),
  ]);
  const apart = found.filter((stored) => !('body' in stored));
  // Written together, an item and its body are found together.
  const areKnown = apart.length < 2 && bodies.length === apart.length;
  const keys = areKnown ? apart.map(({ key }) => key) : await promisifyRequest(store.getAllKeys(range));
  const byKey = new Map(keys.map((key, at) => [key, bodies[at]]));
  return found.map((stored) => ({
    ...withoutBody(stored),
    body: 'body' in stored ? (stored.body ?? undefined) : unpacked(byKey.get(stored.key)),
  }));
}

/** The body of an item: within it, or apart. */
async function bodyOf(transaction: IDBTransaction, stored: Stored): Promise<StoredBody | undefined> {
  if ('body' in stored) return stored.body ?? undefined;
  const body = transaction.objectStore(BODIES).get(stored.key);
  return unpacked(await promisifyRequest<StoredBody | undefined>(body));
}

/** The same, by its key: asked for in both places at once. */
export async function bodyUnder(transaction: IDBTransaction, key: string): Promise<StoredBody | undefined> {
  const [stored, apart] = await Promise.all([
    promisifyRequest<Stored | undefined>(transaction.objectStore(ITEMS).get(key)),
    promisifyRequest<StoredBody | undefined>(transaction.objectStore(BODIES).get(key)),
  ]);
  return stored && 'body' in stored ? (stored.body ?? undefined) : unpacked(apart);
}

/** How many items a group or a collection has. */
export function counted(items: IDBObjectStore, of: Parameters<AtomicStore['count']>[0]): Promise<number> {
  const { index, name } = listingOf(of) as Listing;
  // No key is an array, and each comes before all arrays.
  return promisifyRequest(items.index(index).count(IDBKeyRange.bound([name], [name, []])));
}

/** Jumps from group to group without reading their items. */
export async function distinct(index: IDBIndex, prefix: string, limit = Infinity): Promise<string[]> {
  const found: string[] = [];
  const request = index.openKeyCursor(IDBKeyRange.bound([prefix], [prefixEnd(prefix)]));
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
