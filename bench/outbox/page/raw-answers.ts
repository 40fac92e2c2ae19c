import { promisifyRequest } from 'idb-keyval';
import { rawWrite, send } from './raw.ts';

const WRITES = 'writes';
const ANSWERS = 'answers';
const BY_LANE = 'by lane';

/** So many are read by one transaction, and taken out by another. */
const PAGE = 100;

const LANE = ['orders'];

/**
 * A raw queue of lanes that can tell, later and in another tab, what became of a write: it looks whether each is still there
 * as it is taken out, and keeps the answer.
 */
export class RawAnswers {
  readonly #database: IDBDatabase;

  private constructor(database: IDBDatabase) {
    this.#database = database;
  }

  static async open(name: string): Promise<RawAnswers> {
    const opening = indexedDB.open(name, 1);
    opening.onupgradeneeded = () => {
      opening.result.createObjectStore(WRITES, { keyPath: 'key' }).createIndex(BY_LANE, ['lane', 'key']);
      opening.result.createObjectStore(ANSWERS);
    };
    return new RawAnswers(await promisifyRequest(opening));
  }

  async add(count: number): Promise<void> {
    const transaction = this.#database.transaction(WRITES, 'readwrite', { durability: 'relaxed' });
    for (let key = 0; key < count; key++) transaction.objectStore(WRITES).put(rawWrite(key));
    await promisifyRequest(transaction);
  }

  async drain(): Promise<number> {
    let sent = 0;
    for (let after = -1; ; ) {
      const lane = this.#database.transaction(WRITES).objectStore(WRITES).index(BY_LANE);
      const rest = IDBKeyRange.bound([...LANE, after], [...LANE, []], true);
      const page = await promisifyRequest<ReturnType<typeof rawWrite>[]>(lane.getAll(rest, PAGE));
      const last = page.at(-1);
      if (!last) return sent;
      const answers: [key: number, answer: object][] = [];
      for (const write of page) {
        const { status, url } = await send(write);
        answers.push([write.key, { status, url, finishedAt: Date.now() }]);
        sent++;
      }
      await this.#takeOut(answers);
      after = last.key;
    }
  }

  async #takeOut(answers: readonly [key: number, answer: object][]): Promise<void> {
    const transaction = this.#database.transaction([WRITES, ANSWERS], 'readwrite', { durability: 'relaxed' });
    const done = promisifyRequest(transaction);
    const writes = transaction.objectStore(WRITES);
    const found = await Promise.all(answers.map(([key]) => promisifyRequest(writes.get(key))));
    for (const [at, [key, answer]] of answers.entries()) {
      if (found[at] === undefined) continue;
      writes.delete(key);
      transaction.objectStore(ANSWERS).put(answer, key);
    }
    await done;
  }

  close(): void {
    this.#database.close();
  }
}
