/** Faults of the cache's database that the cache does not cause. */
import { BODIES, ITEMS } from '../../../../src/stores/indexeddb/records.ts';
import { openRaw } from '../../../support/raw-database.ts';

const NAME = 'holdfast-cache';

type Way = () => Promise<void>;

const kept: IDBDatabase[] = [];

/** Ignores requests to close it. */
export async function holdOpen(version?: number): Promise<void> {
  kept.push(await openRaw(NAME, version));
}

export function letGo(): void {
  for (const database of kept.splice(0)) database.close();
}

/** As it was when it was empty. */
export async function createEmpty(): Promise<void> {
  (await openRaw(NAME, 1)).close();
}

export function remove(): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(NAME);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}

/** Writes so many bytes into another database. */
export async function fillDisk(bytes: number): Promise<void> {
  const database = await openRaw('filling', 1, (made) =>
    made.createObjectStore('bytes', { autoIncrement: true }),
  );
  await changed(database, 'bytes', (store) => store.add(new Blob([new Uint8Array(bytes)])));
  database.close();
}

/** Each leaves another kind of damage in all records. */
export const damages: { readonly [name: string]: Way } = {
  'metadata without bodies': () => inStore(BODIES, (store) => store.clear()),
  'bodies without metadata': () => inStore(ITEMS, (store) => store.clear()),
  'bodies cut short': () => eachIn(BODIES, (body) => (body as Uint8Array | Blob).slice(0, 100)),
  'empty bodies': () => eachIn(BODIES, () => new Uint8Array()),
  'bodies that are none': () => eachIn(BODIES, () => 42),
  'bodies that are null': () => eachIn(BODIES, () => null),
  'metadata that says nothing': () => eachIn(ITEMS, ({ key }: Row) => ({ key })),
  'metadata of null': () => eachIn(ITEMS, (item: Row) => ({ ...item, value: null })),
  'metadata of another kind': () => eachIn(ITEMS, (item: Row) => ({ ...item, value: 'garbage' })),
};

interface Row {
  readonly key: string;
  readonly value: unknown;
}

async function inStore(name: string, change: (store: IDBObjectStore) => void): Promise<void> {
  const database = await openRaw(NAME);
  await changed(database, name, change);
  database.close();
}

function eachIn(name: string, change: (value: never) => unknown): Promise<void> {
  return inStore(name, (store) => {
    const request = store.openCursor();
    request.onsuccess = () => {
      const cursor = request.result;
      cursor?.update(change(cursor.value as never));
      cursor?.continue();
    };
  });
}

/** The paths of all values in the record of a cached response, as `/response/status`. */
export async function fields(): Promise<string[]> {
  const found = new Set<string>();
  await eachIn(ITEMS, (item: Row) => {
    for (const path of pathsIn(item.value)) found.add(path);
    return item;
  });
  return [...found];
}

function pathsIn(value: unknown): string[] {
  if (!isRecord(value)) return [];
  return Object.entries(value).flatMap(([name, inner]) => [
    `/${name}`,
    ...pathsIn(inner).map((path) => `/${name}${path}`),
  ]);
}

/** Replaces one value in the record of a cached response. */
export interface Spoiling {
  /** Part of the URL. */
  readonly path: string;
  readonly field: string;
  readonly by: 'nothing' | 'null' | 'a list' | 'another type';
}

export function spoil(spoilings: readonly Spoiling[]): Promise<void> {
  return eachIn(ITEMS, (item: Row) => {
    const spoiling = spoilings.find(({ path }) => item.key.includes(path));
    if (!spoiling) return item;
    const { field, by } = spoiling;
    return { ...item, value: spoilt(item.value, field.split('/').slice(1), by) };
  });
}

function spoilt(value: unknown, [name, ...deeper]: string[], by: Spoiling['by']): unknown {
  if (name === undefined)
    return {
      nothing: undefined,
      null: null,
      'a list': [[]],
      'another type': typeof value === 'string' ? 42 : 'garbage',
    }[by];
  if (!isRecord(value)) return value;
  const { [name]: inner, ...rest } = value;
  const replaced = spoilt(inner, deeper, by);
  return replaced === undefined ? rest : { ...rest, [name]: replaced };
}

const isRecord = (value: unknown): value is { [name: string]: unknown } =>
  typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype;

function changed(
  database: IDBDatabase,
  name: string,
  change: (store: IDBObjectStore) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const transaction = database.transaction(name, 'readwrite');
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
    change(transaction.objectStore(name));
  });
}
