import { StorageError } from '../../core/errors.ts';
import { type AtomicStore, explainedBy, type StoredBody } from '../../core/store.ts';
import { ConfigurationError, isFailure } from '../../primitives/failure.ts';
import { type Lock, withLocalLock } from '../../primitives/locks.ts';
import { ofType, readSettings, rule } from '../../primitives/validate.ts';
import { type EncodedBody, encoded, encodedBlob } from '../encoding.ts';
import { blobsOf, groupCommit, type PendingChange, rejectAll, resolveBatch } from '../group-commit.ts';
import { type SqlConnection, type SqlExec, type SqlTransaction, sqlConnection } from './connection.ts';
import { type SqlRows, sqlRows } from './rows.ts';

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

/** @param names The database's name in errors, and the prefix of the store's name. */
export function sqlStoreOf(
  owner: string,
  options: SqlStoreOptions,
  { platform, prefix }: { readonly platform: string; readonly prefix: string },
): AtomicStore {
  const { exec, transaction, sync, lock, name } = readSettings(
    owner,
    {
      exec: [undefined, ofType<SqlExec>('function')],
      transaction: [undefined, ofType<SqlTransaction>('function')],
      sync: [undefined, ofType<() => Promise<void>>('function')],
      lock: [undefined, lockRule],
      name: ['holdfast', tableName],
    },
    options,
  );
  if (!exec) throw new ConfigurationError(`${owner}.exec`, exec, 'expected a function');
  const explained = explainedBy(platform, causeOf);
  let opened: { readonly sql: SqlConnection; readonly rows: SqlRows } | undefined;

  const open = (): NonNullable<typeof opened> => {
    if (opened) return opened;
    const sql = sqlConnection(exec, transaction);
    opened = { sql, rows: sql.writing(() => sqlRows(sql.rows, name, platform)) };
    return opened;
  };

  const reading = <T>(operation: string, read: (rows: SqlRows) => T): Promise<T> =>
    explained(operation, async () => {
      const { sql, rows } = open();
      return sql.reading(() => read(rows));
    });

  const made = async (batch: readonly PendingChange[]): Promise<readonly (() => void)[]> => {
    const read = new Map<StoredBody, EncodedBody>();
    for (;;) {
      const { sql, rows } = open();
      const { unread, settle } = sql.writing(() => {
        rows.checkVersion();
        const keys = new Set(batch.flatMap((each) => each.keys));
        const found = Array.from(keys, (key) => [key, rows.item(key)] as const);
        const { changes, settle } = resolveBatch(batch, found);
        const unread = blobsOf(changes.values()).filter((blob) => !read.has(blob));
        if (unread.length === 0)
          rows.apply(changes.values(), (body) => encoded(body) ?? (read.get(body) as EncodedBody));
        return { unread, settle };
      });
      if (unread.length === 0) return settle;
      // A transaction does not wait for the bytes of a blob.
      for (const blob of unread) read.set(blob, await encodedBlob(blob));
    }
  };

  /** @throws {StorageError} `storage-unknown`: the change is committed, and may not survive a power failure. */
  const onDisk = async (sync: () => Promise<void>): Promise<void> => {
    try {
      await sync();
    } catch (cause) {
      const message = `${platform}: sync failed: the change is committed, and may not be on the disk: ${cause}`;
      throw new StorageError(message, { code: 'storage-unknown', cause });
    }
  };

  const { change, write } = groupCommit(async (batch) => {
    let settle: readonly (() => void)[];
    try {
      settle = await explained('change', () => made(batch));
    } catch (error) {
      // Each by itself would wait for a database that another process has locked.
      if (!isLocked(error)) throw error;
      return rejectAll(batch, error);
    }
    const synced = sync && batch.some(({ strict }) => strict) ? onDisk(sync) : undefined;
    if (!synced) return settle;
    return settle.map((done, at) => {
      const { strict, reject } = batch[at] as PendingChange;
      return strict ? () => void synced.then(done, reject) : done;
    });
  });

  return {
    name: `${prefix}:${name}`,
    durable: true,
    ...(lock && { lock: lock === 'memory' ? withLocalLock(exec) : lock }),
    get: (key) => explained('get', async () => open().rows.item(key)),
    body: (key) => reading('body', (rows) => rows.body(key)),
    range: (query) => explained('range', async () => open().rows.range(query)),
    rangeWithBodies: (query) =>
      reading('rangeWithBodies', (rows) =>
        rows.range(query).map((item) => ({ ...item, body: rows.body(item.key) })),
      ),
    groups: (prefix, limit) => reading('groups', (rows) => rows.groups(prefix, limit)),
    count: (of) => explained('count', async () => open().rows.count(of)),
    write,
    change,
    async close() {},
  };
}

const isLocked = (error: unknown): boolean =>
  isFailure(error) && /database is locked|SQLITE_BUSY/.test(`${error}`);

/** Callers that can make room look for the name. */
const causeOf = (error: unknown): unknown =>
  /SQLITE_FULL|database or disk is full/.test(`${error}`)
    ? new DOMException(`${error}`, 'QuotaExceededError')
    : error;

const tableName = /* @__PURE__ */ rule<string>(
  'a letter, then letters, digits and _',
  (value) => typeof value === 'string' && /^[a-z]\w*$/i.test(value),
);

const lockRule = /* @__PURE__ */ rule<'memory' | Lock>(
  "'memory' or a function",
  (value) => value === 'memory' || typeof value === 'function',
);
