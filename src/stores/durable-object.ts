import { having, type Rule, readOptions } from '../core/check.ts';
import { ConfigurationError } from '../core/errors.ts';
import type { AtomicStore, Change, Decision, Item, StoredBody } from '../core/store.ts';
import { DurableObjectRows } from './durable-object-rows.ts';
import { prepareTables } from './durable-object-tables.ts';
import { explainedBy } from './explained.ts';
import type { Sql } from './sql.ts';
import { type Packed, packed, packedBlob } from './stored-body.ts';

/** What is used of a `DurableObjectStorage`. */
export interface SqlDurableObjectStorage {
  readonly sql: Sql;
  transactionSync<T>(run: () => T): T;
  sync(): Promise<void>;
}

export interface DurableObjectStoreOptions {
  /** Its tables begin so. Stores of one name share their entries. Default `'holdfast'`. */
  readonly name?: string;
}

/** What became of a change when it was tried. */
type Tried<T> =
  | { readonly is: 'made'; readonly result: T }
  | { readonly is: 'refused'; readonly error: unknown }
  /** Blobs have to be read first, and nobody can wait in a transaction. */
  | { readonly is: 'unread'; readonly blobs: readonly Blob[] };

/**
 * Keeps entries in the database of a SQLite Durable Object: every change is a transaction, and what is asked for with
 * `strict` is on the disk. Bodies are kept in pieces, as a row has 2 MB at the most.
 *
 * @param storage `ctx.storage`, of a class in `new_sqlite_classes`.
 * @throws {StorageError} from each operation that failed; code `storage-newer` where a newer version of the Worker has
 *   written the tables, which are left as they are.
 */
export function durableObjectStore(
  storage: SqlDurableObjectStorage,
  options: DurableObjectStoreOptions = {},
): AtomicStore {
  storageRule(storage, 'durableObjectStore.storage');
  const { name } = readOptions('durableObjectStore', options, { name: tableName }, { name: 'holdfast' });
  const explained = explainedBy('Durable Object');
  let open: DurableObjectRows | undefined;

  const rows = (): DurableObjectRows => {
    open ??= new DurableObjectRows(
      storage.sql,
      storage.transactionSync(() => prepareTables(storage.sql, name)),
    );
    return open;
  };

  const tried = <T>(
    keys: readonly string[],
    decide: (found: readonly (Item | undefined)[]) => Decision<T>,
    read: ReadonlyMap<StoredBody, Packed>,
  ): Tried<T> => {
    const table = rows();
    return storage.transactionSync((): Tried<T> => {
      const found = keys.map((key) => table.item(key));
      let decision: Decision<T>;
      try {
        decision = decide(found);
      } catch (error) {
        return { is: 'refused', error };
      }
      const blobs = blobsOf(decision.changes).filter((blob) => !read.has(blob));
      if (blobs.length > 0) return { is: 'unread', blobs };
      table.apply(decision.changes, (body) => packed(body) ?? (read.get(body) as Packed));
      return { is: 'made', result: decision.result };
    });
  };

  const made = async <T>(
    keys: readonly string[],
    decide: (found: readonly (Item | undefined)[]) => Decision<T>,
  ): Promise<T> => {
    const read = new Map<StoredBody, Packed>();
    for (;;) {
      const outcome = await explained('change', async () => tried(keys, decide, read));
      if (outcome.is === 'made') return outcome.result;
      if (outcome.is === 'refused') throw outcome.error;
      for (const blob of outcome.blobs) read.set(blob, await packedBlob(blob));
    }
  };

  /** The change that was asked for last: none overtakes one that has blobs to read. */
  let last: Promise<unknown> = Promise.resolve();

  const change: AtomicStore['change'] = async (keys, decide, { strict = false } = {}) => {
    const mine = last.then(() => made(keys, decide));
    last = mine.catch(() => {});
    const result = await mine;
    if (strict) await explained('change', () => storage.sync());
    return result;
  };

  return {
    name: `durable-object:${name}`,
    durable: true,
    exclusive: true,
    get: (key) => explained('get', async () => rows().item(key)),
    body: (key) => explained('body', async () => rows().body(key)),
    range: (query) => explained('range', async () => rows().range(query)),
    wholes: (query, pick = (found) => found) =>
      explained('wholes', async () =>
        pick(rows().range(query)).map((item) => ({ ...item, body: rows().body(item.key) })),
      ),
    groups: (prefix, limit) => explained('groups', async () => rows().groups(prefix, limit)),
    count: (of) => explained('count', async () => rows().count(of)),
    write: (changes) => change([], () => ({ changes, result: undefined })),
    change,
    async close() {},
  };
}

const storageRule: Rule<SqlDurableObjectStorage> = (value, option) => {
  const storage = having<SqlDurableObjectStorage>(
    'the storage of a SQLite Durable Object: ctx.storage',
    'transactionSync',
    'sync',
  )(value, option);
  let sql: Sql | undefined;
  try {
    ({ sql } = storage);
  } catch {
    // One whose class is not in `new_sqlite_classes` throws.
  }
  if (typeof sql?.exec === 'function') return storage;
  throw new ConfigurationError(
    option,
    value,
    'expected the storage of a SQLite Durable Object; its class has to be in new_sqlite_classes',
  );
};

const tableName: Rule<string> = (value, option) => {
  if (typeof value === 'string' && /^[a-z]\w*$/i.test(value)) return value;
  throw new ConfigurationError(option, value, 'expected a letter, then letters, digits and _');
};

const blobsOf = (changes: readonly Change[]): Blob[] =>
  changes.flatMap((change) => ('put' in change && change.body instanceof Blob ? [change.body] : []));
