import type { AtomicStore } from '../../core/store.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { withLocalLock } from '../../primitives/locks.ts';
import { ofType, type Rule, readSettings, withMethods } from '../../primitives/validate.ts';
import { sqlStoreOf } from './sql.ts';

/** The used part of a `SqlStorage`. */
export interface Sql {
  exec(
    query: string,
    ...bindings: unknown[]
  ): { toArray(): Record<string, ArrayBuffer | string | number | null>[] };
}

/** The used part of a `DurableObjectStorage`. */
export interface SqlDurableObjectStorage {
  readonly sql: Sql;
  transactionSync<T>(run: () => T): T;
  sync(): Promise<void>;
}

export interface DurableObjectStoreOptions {
  /** Its tables begin so. Stores of one name share their entries. Default `'holdfast'`. */
  readonly name?: string;
}

/**
 * `sqlStore` over the database of a SQLite Durable Object. An object has one process at a time, so its lock is in memory.
 *
 * @param storage `ctx.storage`, of a class in `new_sqlite_classes`.
 * @throws {StorageError} from each operation that failed; code `storage-newer` where a newer version of the Worker has
 *   written the tables, which are left as they are.
 *
 * @example
 * class Orders {
 *   readonly fetch;
 *
 *   constructor(ctx: { storage: Parameters<typeof durableObjectStore>[0] }) {
 *     const store = durableObjectStore(ctx.storage);
 *     this.fetch = createFetch({ partition: 'public', outbox: outbox({ store }) });
 *   }
 * }
 */
export function durableObjectStore(
  storage: SqlDurableObjectStorage,
  options: DurableObjectStoreOptions = {},
): AtomicStore {
  storageRule(storage, 'durableObjectStore.storage');
  const { name } = readSettings(
    'durableObjectStore',
    { name: ['holdfast', ofType<string>('string')] },
    options,
  );
  const store = sqlStoreOf(
    'durableObjectStore',
    {
      exec: (query, ...values) => storage.sql.exec(query, ...values).toArray(),
      transaction: (task) => storage.transactionSync(task),
      sync: () => storage.sync(),
      lock: withLocalLock(storage),
      name,
    },
    { platform: 'Durable Object', prefix: 'durable-object' },
  );
  // An object that was evicted may leave its outbox open beside that of its next life.
  return { ...store, scope: store };
}

const storageRule: Rule<SqlDurableObjectStorage> = (value, option) => {
  const storage = withMethods<SqlDurableObjectStorage>(
    'the storage of a SQLite Durable Object: ctx.storage',
    'transactionSync',
    'sync',
  )(value, option);
  try {
    if (typeof storage.sql.exec === 'function') return storage;
  } catch {
    // The getter throws if the class is not in `new_sqlite_classes`.
  }
  throw new ConfigurationError(
    option,
    value,
    'expected the storage of a SQLite Durable Object; its class has to be in new_sqlite_classes',
  );
};
