import type { AtomicStore } from '../../core/store.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { type Lock, withLocalLock } from '../../primitives/locks.ts';
import { ofType, type Rule, readOptions } from '../../primitives/validate.ts';
import { explainedBy } from '../wrap-storage-errors.ts';
import { createTables, type SqlExec, type SqlTransaction, sqlConnection } from './connection.ts';
import { sqlGroupCommit } from './group-commit.ts';
import { type Opened, SqlRows } from './rows.ts';

export interface SqlStoreOptions {
  /** Runs one statement. It has to be synchronous. */
  readonly exec: SqlExec;
  /**
   * For databases where a transaction is no statement. Default: `BEGIN IMMEDIATE`, `COMMIT` and `ROLLBACK` by `exec`; then the store
   * also sets `journal_mode = WAL`, `synchronous = FULL` and, if there is none, a `busy_timeout` of 2 s, and the connection has to
   * be its own.
   */
  readonly transaction?: SqlTransaction;
  /** Settles when all that was committed is on the disk. Default: it is when the commit returns. */
  readonly sync?: () => Promise<void>;
  /**
   * The lock of a lane of an outbox: `'memory'` if one process at a time has the database open, or a lock of your own over all
   * processes. Default: a lease in the store, which a process that is killed leaves behind for up to 30 s.
   */
  readonly lock?: 'memory' | Lock;
  /** Tables begin so. Stores of one name share their entries. Default `'holdfast'`. */
  readonly name?: string;
}

/**
 * Keeps entries in a SQLite database: every change is a transaction, changes that are asked for at once share one, and bodies
 * are kept in pieces of 1 MB.
 *
 * @throws {StorageError} from each operation that failed; code `storage-newer` where a newer version of the program has
 *   written the tables, which are left as they are.
 *
 * @example
 * import { DatabaseSync } from 'node:sqlite';
 *
 * const database = new DatabaseSync('orders.db');
 * const exec: SqlExec = (query, ...values) => database.prepare(query).all(...values);
 * const queue = outbox({ store: sqlStore({ exec }) });
 */
export const sqlStore = (options: SqlStoreOptions): AtomicStore =>
  sqlStoreOf('sqlStore', options, { platform: 'SQLite', prefix: 'sql' });

/** @param names What errors and the store's name say of the database. */
export function sqlStoreOf(
  owner: string,
  options: SqlStoreOptions,
  { platform, prefix }: { readonly platform: string; readonly prefix: string },
): AtomicStore {
  const { exec, transaction, sync, lock, name } = readOptions<Read>(owner, options, RULES, {
    exec: undefined,
    transaction: undefined,
    sync: undefined,
    lock: undefined,
    name: 'holdfast',
  });
  if (!exec) throw new ConfigurationError(`${owner}.exec`, exec, 'expected a function');
  const explained = explainedBy(platform, causeOf);
  let opened: Opened | undefined;

  const open = (): Opened => {
    if (opened) return opened;
    const sql = sqlConnection(exec, transaction);
    const tables = sql.writing(() => createTables(sql, name, platform));
    opened = { sql, tables, rows: new SqlRows(sql, tables) };
    return opened;
  };

  const reading = <T>(operation: string, read: (rows: SqlRows) => T): Promise<T> =>
    explained(operation, async () => {
      const { sql, rows } = open();
      return sql.reading(() => read(rows));
    });

  const change = sqlGroupCommit({ open, platform, explained, sync });

  return {
    name: `${prefix}:${name}`,
    durable: true,
    ...(lock && { lock: lock === 'memory' ? withLocalLock(exec) : lock }),
    get: (key) => explained('get', async () => open().rows.item(key)),
    body: (key) => reading('body', (rows) => rows.body(key)),
    range: (query) => explained('range', async () => open().rows.range(query)),
    rangeWithBodies: (query, pick = (found) => found) =>
      reading('rangeWithBodies', (rows) => rows.rangeWithBodies(query, pick)),
    groups: (prefix, limit) => reading('groups', (rows) => rows.groups(prefix, limit)),
    count: (of) => explained('count', async () => open().rows.count(of)),
    write: (changes) => change([], () => ({ changes, result: undefined })),
    change,
    async close() {},
  };
}

/** Callers that can make room look for the name. */
const causeOf = (error: unknown): unknown =>
  /SQLITE_FULL|database or disk is full/.test(`${error}`)
    ? new DOMException(`${error}`, 'QuotaExceededError')
    : error;

const tableName: Rule<string> = (value, option) => {
  if (typeof value === 'string' && /^[a-z]\w*$/i.test(value)) return value;
  throw new ConfigurationError(option, value, 'expected a letter, then letters, digits and _');
};

const lockRule: Rule<'memory' | Lock> = (value, option) => {
  if (value === 'memory' || typeof value === 'function') return value as 'memory' | Lock;
  throw new ConfigurationError(option, value, "expected 'memory' or a function");
};

interface Read {
  readonly exec: SqlExec | undefined;
  readonly transaction: SqlTransaction | undefined;
  readonly sync: (() => Promise<void>) | undefined;
  readonly lock: 'memory' | Lock | undefined;
  readonly name: string;
}

const RULES: { [K in keyof Read]: Rule<Read[K]> } = {
  exec: ofType<SqlExec>('function'),
  transaction: ofType<SqlTransaction>('function'),
  sync: ofType<() => Promise<void>>('function'),
  lock: lockRule,
  name: tableName,
};
