import { indexedDBStore } from '../../../src/index.ts';
import type { Change, Item } from '../../../src/store.ts';
import { databaseOf, Holdfast } from './holdfast.ts';

/** So many changes in one transaction. */
const BATCH = 2_000;

/** What waits, as the library counts it. */
interface Totals {
  readonly count: number;
  readonly bytes: number;
}

/**
 * Fills a queue with copies of what the library has written for one entry of each lane: to accept so many would take
 * longer than all that is measured.
 */
export async function fill(name: string, entries: number, lanes = 1): Promise<void> {
  await deleted(databaseOf(name));
  const ids = await templates(name, lanes);
  const store = indexedDBStore({ name: databaseOf(name) });
  const items = await store.range({});
  const bodies = await Promise.all(items.map(({ key }) => store.body(key)));
  const times = entries / lanes;
  const changes: Change[] = items.filter(isTotals).map((item) => ({ put: multiplied(item, times) }));
  for (let copy = 1; copy < times; copy++) {
    for (const id of ids)
      for (const [at, item] of items.entries()) {
        const put = copied(item, id, copy);
        if (put) changes.push({ put, body: bodies[at] });
      }
    if (changes.length >= BATCH) await store.write(changes.splice(0));
  }
  await store.write(changes);
  await store.close();
}

/** One entry in each lane. */
async function templates(name: string, lanes: number): Promise<string[]> {
  const holdfast = new Holdfast(name);
  for (let lane = 0; lane < lanes; lane++) await holdfast.enqueue(lane, { lane: `lane ${lane}` });
  const entries = await holdfast.box.entries();
  await holdfast.close();
  return entries.map(({ id }) => id);
}

/** What is kept under an id, under another one that comes after it; `undefined` where it is not kept under this id. */
function copied(item: Item, id: string, copy: number): Item | undefined {
  const text = JSON.stringify(item);
  return text.includes(id)
    ? JSON.parse(text.replaceAll(id, `${id}${copy.toString(36).padStart(4, '0')}`))
    : undefined;
}

const isTotals = ({ value }: Item): boolean => typeof (value as Totals).count === 'number';

function multiplied(item: Item, times: number): Item {
  const { count, bytes, ...rest } = item.value as Totals;
  return { ...item, value: { ...rest, count: count * times, bytes: bytes * times } };
}

export async function deleted(database: string): Promise<void> {
  const request = indexedDB.deleteDatabase(database);
  await new Promise<void>((resolve, reject) => {
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}
