import { promisifyRequest } from 'idb-keyval';
import { endOf, type Item } from '../core/store.ts';
import { BODIES, BY_COLLECTION, BY_GROUP, ITEMS } from './idb-layout.ts';

/** From the version before to its own. What it waits for belongs to the transaction, or that would end under it. */
type Step = (database: IDBDatabase, transaction: IDBTransaction) => void | Promise<void>;

/** A step for each version. Pages of all earlier versions are still out there, so none of them is ever changed. */
const STEPS: readonly Step[] = [itemsAndBodies, collections, smallBodiesWithin];

export const VERSION = STEPS.length;

/** Brings a database from any earlier version to this one. @param from 0 for a new one. */
export async function upgrade(
  database: IDBDatabase,
  transaction: IDBTransaction,
  from: number,
): Promise<void> {
  for (const step of STEPS.slice(from)) await step(database, transaction);
}

function itemsAndBodies(database: IDBDatabase): void {
  database.createObjectStore(ITEMS, { keyPath: 'key' }).createIndex(BY_GROUP, ['group', 'key']);
  database.createObjectStore(BODIES);
}

/**
 * What an outbox of version 1 wrote gets its collection, and dead letters the lane that they had in life. All else is a
 * cache's, or is not listed, and stays. Bodies are not touched.
 */
async function collections(_: IDBDatabase, transaction: IDBTransaction): Promise<void> {
  const items = transaction.objectStore(ITEMS);
  await changeAll(items, 'entry ', entryOf);
  await changeAll(items, 'result entry ', answerOf);
  // When nothing else can fail: private windows of WebKit keep half an index of an upgrade that was aborted, and can
  // then make no other of that name.
  items.createIndex(BY_COLLECTION, ['collection', 'key']);
}

/** Groups were `waiting <name> <partition> <lane>` and `dead <name> <partition> `, each part encoded. */
function entryOf(item: Item): Item {
  const [state, name, partition, lane] = item.group?.split(' ') ?? [];
  if (lane === undefined) return item;
  const { lane: lived } = (item.value ?? {}) as { lane?: unknown };
  const to = typeof lived === 'string' ? encodeURIComponent(lived) : lane;
  const collection = `${state} ${name} ${partition}`;
  return { ...item, group: `${collection} ${to}`, collection };
}

/** Keys were `result entry <name> <id>`. */
function answerOf(item: Item): Item {
  const { partition } = (item.value ?? {}) as { partition?: unknown };
  if (typeof partition !== 'string') return item;
  return { ...item, collection: `settled ${item.key.split(' ')[2]} ${encodeURIComponent(partition)}` };
}

/** Who does not know of bodies within items would lose them. Those that are there stay where they are. */
function smallBodiesWithin(): void {}

/** So many are read at once: all may be much, and one by one, as with a cursor, takes several times as long. */
const PAGE = 500;

/** Changes the items whose keys begin with `prefix`, and is sure of it. */
async function changeAll(items: IDBObjectStore, prefix: string, change: (item: Item) => Item): Promise<void> {
  let after = prefix;
  for (;;) {
    const rest = IDBKeyRange.bound(after, endOf(prefix), true);
    const page = await promisifyRequest<Item[]>(items.getAll(rest, PAGE));
    const last = page.at(-1);
    // Read when everything has been written.
    if (!last) return;
    for (const item of page) items.put(change(item));
    after = last.key;
  }
}
