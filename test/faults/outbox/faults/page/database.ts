/** Faults of the outbox's database that the outbox does not cause. */
import { BODIES, ITEMS } from '../../../../../src/stores/indexeddb/records.ts';

export const NAME = 'holdfast-outbox';
const FILLING = 'filling';

const kept: IDBDatabase[] = [];

/** Ignores requests to close it. */
export async function holdOpen(version?: number): Promise<void> {
  kept.push(await open(NAME, version));
}

export function letGo(): void {
  for (const database of kept.splice(0)) database.close();
}

export const remove = (): Promise<void> => removed(NAME);

/** Writes another database of so many bytes. */
export async function fillDisk(bytes: number): Promise<void> {
  const database = await open(FILLING, 1, (made) => made.createObjectStore('bytes', { autoIncrement: true }));
  const transaction = database.transaction('bytes', 'readwrite');
  transaction.objectStore('bytes').add(new Blob([new Uint8Array(bytes)]));
  await done(transaction).finally(() => database.close());
}

/** Fills the rest of the disk, but for less than `least` bytes. @returns the number of written bytes. */
export async function fillAll(least: number): Promise<number> {
  let filled = 0;
  for (let size = 2 ** 23; size >= least; ) {
    const went = await fillDisk(size).then(
      () => true,
      () => false,
    );
    if (went) filled += size;
    else size /= 2;
  }
  return filled;
}

export const makeRoom = (): Promise<void> => removed(FILLING);

/** The stored records of writes. */
export interface Records {
  /** Each entry's key with the expected and the actual bytes of its body. */
  readonly entries: readonly (readonly [key: string, size: number, found: number | undefined])[];
  /** Bodies without an entry. */
  readonly orphans: readonly string[];
  /** The totals of the outbox itself. */
  readonly totals: { readonly count: number; readonly bytes: number };
}

interface Row {
  readonly key: string;
  /** Inline if it is small; else apart. */
  readonly body?: Parameters<typeof sizeOf>[0] | null;
  readonly value: { readonly size: number; readonly count: number; readonly bytes: number };
}

export async function records(): Promise<Records> {
  const database = await open(NAME);
  const transaction = database.transaction([ITEMS, BODIES]);
  const items = transaction.objectStore(ITEMS).getAll();
  const bodies = transaction.objectStore(BODIES).getAll();
  const keys = transaction.objectStore(BODIES).getAllKeys();
  await done(transaction);
  database.close();
  const rows: Row[] = items.result;
  const found = new Map(keys.result.map((key, at) => [String(key), sizeOf(bodies.result[at])]));
  const { count = 0, bytes = 0 } = rows.find(({ key }) => key.startsWith('totals '))?.value ?? {};
  return {
    entries: rows
      .filter(({ key }) => key.startsWith('entry '))
      .map(({ key, value, body }) => [key, value.size, body ? sizeOf(body) : found.get(key)] as const),
    orphans: [...found.keys()].filter((key) => !rows.some((row) => row.key === key)),
    totals: { count, bytes },
  };
}

/** Of a body as any engine keeps it. */
function sizeOf(body: string | Blob | { bytes: ArrayBuffer } | Uint8Array): number {
  if (typeof body === 'string') return body.length;
  if (body instanceof Blob) return body.size;
  return 'bytes' in body ? body.bytes.byteLength : body.byteLength;
}

function removed(name: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.deleteDatabase(name);
    request.onsuccess = () => resolve();
    request.onerror = () => reject(request.error);
  });
}

function open(name: string, version?: number, make?: (database: IDBDatabase) => void): Promise<IDBDatabase> {
  return new Promise((resolve, reject) => {
    const request = indexedDB.open(name, version);
    request.onupgradeneeded = () => make?.(request.result);
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error);
  });
}

function done(transaction: IDBTransaction): Promise<void> {
  return new Promise((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error);
  });
}
