import { promisifyRequest } from 'idb-keyval';
import {
  type AtomicStore,
  endOf,
  type Item,
  type RangeQuery,
  type StoredBody,
  type Whole,
} from '../core/store.ts';
import type { Blobs } from './idb-blobs.ts';
import { BODIES, BY_COLLECTION, BY_GROUP, ITEMS } from './idb-layout.ts';

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
export async function ranged(
  items: IDBObjectStore,
  { prefix = '', after = '', limit, ...of }: RangeQuery,
): Promise<Item[]> {
  const low = after > prefix ? after : prefix;
  const high = endOf(prefix);
  const open = low === after;
  // A range from a key to itself has to have that key.
  if (low > high || (open && low === high)) return [];
  const listing = listingOf(of);
  const range = listing
    ? IDBKeyRange.bound([listing.name, low], [listing.name, high], open)
    : IDBKeyRange.bound(low, high, open);
  const source = listing ? items.index(listing.index) : items;
  return promisifyRequest<Item[]>(source.getAll(range, limit));
}

/** Items with the body that was written with each. */
export function wholes(
  transaction: IDBTransaction,
  query: RangeQuery,
  pick: ((found: Item[]) => Item[]) | undefined,
  blobs: Blobs,
): Promise<Whole[]> {
  const { prefix, ...rest } = query;
  return prefix !== undefined && !pick && Object.keys(rest).length === 0
    ? allUnder(transaction, prefix, blobs)
    : picked(transaction, query, pick, blobs);
}

async function picked(
  transaction: IDBTransaction,
  query: RangeQuery,
  pick: (found: Item[]) => Item[] = (found) => found,
  blobs: Blobs,
): Promise<Whole[]> {
  const items = pick(await ranged(transaction.objectStore(ITEMS), query));
  const store = transaction.objectStore(BODIES);
  const bodies = await Promise.all(items.map(({ key }) => promisifyRequest<StoredBody>(store.get(key))));
  return items.map((item, at) => ({ ...item, body: blobs.unpacked(bodies[at]) }));
}

/** Items and bodies are asked for at once: waiting in between costs as much as reading. */
async function allUnder(transaction: IDBTransaction, prefix: string, blobs: Blobs): Promise<Whole[]> {
  const range = IDBKeyRange.bound(prefix, endOf(prefix));
  const store = transaction.objectStore(BODIES);
  const [found, bodies] = await Promise.all([
    promisifyRequest<Item[]>(transaction.objectStore(ITEMS).getAll(range)),
    promisifyRequest<StoredBody[]>(store.getAll(range)),
  ]);
  // Written together, an item and its body are found together.
  const isOne = found.length === 1 && bodies.length === 1;
  const keys = isOne ? [found[0]?.key] : await promisifyRequest(store.getAllKeys(range));
  const byKey = new Map(keys.map((key, at) => [key, bodies[at]]));
  return found.map((item) => ({ ...item, body: blobs.unpacked(byKey.get(item.key)) }));
}

/** How many items a group or a collection has. */
export function counted(items: IDBObjectStore, of: Parameters<AtomicStore['count']>[0]): Promise<number> {
  const { index, name } = listingOf(of) as Listing;
  // No key is an array, and each comes before all arrays.
  return promisifyRequest(items.index(index).count(IDBKeyRange.bound([name], [name, []])));
}

/** Jumps from group to group instead of reading what is in them. */
export async function distinct(index: IDBIndex, prefix: string, limit = Infinity): Promise<string[]> {
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
