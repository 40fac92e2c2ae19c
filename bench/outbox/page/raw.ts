import { promisifyRequest } from 'idb-keyval';
import { bodyOf, taken, URL_OF_WRITES } from './write.ts';

const WRITES = 'writes';

/** So many are read by one transaction, and deleted by another. */
const PAGE = 100;

interface Write {
  readonly key: number;
  readonly lane: string;
  readonly url: string;
  readonly method: string;
  readonly headers: readonly (readonly [string, string])[];
  readonly acceptedAt: number;
  readonly body: string;
}

/** The least that a queue has to do in IndexedDB, with no care for anything that may go wrong. */
export class RawQueue {
  readonly #database: IDBDatabase;
  #next = 0;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async open(name: string): Promise<RawQueue> {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => opening.result.createObjectStore(WRITES, { keyPath: 'key' });
    return new RawQueue(await promisifyRequest(opening));
  }

  /** Commits so many at once. */
  async add(count: number, durability: IDBTransactionDurability = 'strict'): Promise<void> {
    const transaction = this.#database.transaction(WRITES, 'readwrite', { durability });
    const store = transaction.objectStore(WRITES);
    for (let each = 0; each < count; each++) store.put(rawWrite(this.#next++));
    await promisifyRequest(transaction);
  }

  /** A page is read, each of it is sent, and all of it is deleted. */
  async drain(): Promise<number> {
    let sent = 0;
    for (let after = -1; ; ) {
      const store = this.#database.transaction(WRITES).objectStore(WRITES);
      const page = await promisifyRequest<Write[]>(store.getAll(IDBKeyRange.lowerBound(after, true), PAGE));
      const last = page.at(-1);
      if (!last) return sent;
      for (const write of page) sent += (await send(write)).ok ? 1 : 0;
      const transaction = this.#database.transaction(WRITES, 'readwrite', { durability: 'strict' });
      for (const { key } of page) transaction.objectStore(WRITES).delete(key);
      await promisifyRequest(transaction);
      after = last.key;
    }
  }

  close(): void {
    this.#database.close();
  }
}

/** About what the library writes, too. */
export function rawWrite(key: number): Write {
  const headers = [['content-type', 'application/json']] as const;
  const facts = { url: URL_OF_WRITES, method: 'POST', headers, acceptedAt: Date.now() };
  return { key, lane: 'orders', ...facts, body: bodyOf(key) };
}

export async function send({ url, method, headers, body }: Write): Promise<Response> {
  const request = new Request(url, { method, headers: headers as [string, string][], body });
  return request.method === method ? taken() : Response.error();
}
