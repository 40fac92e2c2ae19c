import { promisifyRequest } from 'idb-keyval';
import { rawWrite } from './raw.ts';

/** Entries of a page. */
export const PAGE = 50;

const FACTS = 'facts';
const BODIES = 'bodies';
const BY_LANE = 'by lane';

/** So many in one transaction. */
const BATCH = 2_000;

/** A raw queue that is made to be listed: by its lane, and without the bodies, which nobody wants in a list. */
export class RawPages {
  readonly #database: IDBDatabase;
  #next = 0;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async open(name: string): Promise<RawPages> {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore(FACTS, { keyPath: 'key' }).createIndex(BY_LANE, ['lane', 'key']);
      opening.result.createObjectStore(BODIES);
    };
    return new RawPages(await promisifyRequest(opening));
  }

  async fill(entries: number): Promise<void> {
    for (let left = entries; left > 0; left -= BATCH) await this.add(Math.min(left, BATCH), 'relaxed');
  }

  /** Commits so many at once. */
  async add(count: number, durability: IDBTransactionDurability = 'strict'): Promise<void> {
    const transaction = this.#database.transaction([FACTS, BODIES], 'readwrite', { durability });
    for (let each = 0; each < count; each++) {
      const { body, ...facts } = rawWrite(this.#next++);
      transaction.objectStore(FACTS).put(facts);
      transaction.objectStore(BODIES).put(body, facts.key);
    }
    await promisifyRequest(transaction);
  }

  first(): Promise<unknown[]> {
    return promisifyRequest(this.#lane().getAll(LANE, PAGE));
  }

  count(): Promise<number> {
    return promisifyRequest(this.#lane().count(LANE));
  }

  close(): void {
    this.#database.close();
  }

  #lane(): IDBIndex {
    return this.#database.transaction(FACTS).objectStore(FACTS).index(BY_LANE);
  }
}

const LANE = IDBKeyRange.bound(['orders'], ['orders', []]);
