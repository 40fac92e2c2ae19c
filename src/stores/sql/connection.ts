import { ConfigurationError } from '../../primitives/failure.ts';

/** A parameter of a statement. */
export type SqlValue = string | number | null | Uint8Array<ArrayBuffer>;

/** Runs one statement to its end. @returns its rows, as objects; none for a statement that has none. */
export type SqlExec = (query: string, ...values: SqlValue[]) => Iterable<unknown>;

/** Runs a synchronous task as one transaction: commits what it did, or rolls it back if it throws. */
export type SqlTransaction = (task: () => void) => unknown;

export type Row = Readonly<Record<string, unknown>>;

/** A synchronous database with transactions. */
export interface SqlConnection {
  rows(query: string, ...values: SqlValue[]): Row[];
  /** Several statements that see the same data. */
  reading<T>(task: () => T): T;
  /** The same for one writer at a time, over all processes. */
  writing<T>(task: () => T): T;
}

/** How long a statement waits for the transaction of another process, in ms. It blocks the thread. */
const BUSY_TIMEOUT = 2_000;

/** @param transaction Default: statements. The settings of the connection are then the store's as well. */
export function sqlConnection(exec: SqlExec, transaction: SqlTransaction | undefined): SqlConnection {
  // A rollback failed: SQLite has done it by itself, or the transaction is still open.
  let isUnsure = false;
  const rollback = (): void => {
    try {
      isUnsure = false;
      rows('ROLLBACK');
    } catch {
      isUnsure = true;
    }
  };

  const rows = (query: string, ...values: SqlValue[]): Row[] => {
    // Nothing of a transaction that failed may be read or committed.
    if (isUnsure) rollback();
    isUnsure = false;
    const found = exec(query, ...values);
    if (typeof (found as Partial<Iterable<Row>> | null)?.[Symbol.iterator] === 'function')
      return [...(found as Iterable<Row>)];
    throw new ConfigurationError('sqlStore.exec', found, 'expected it to return rows, and not to wait');
  };

  if (transaction) {
    const whole = <T>(task: () => T): T => ranBy(transaction, task);
    return { rows, reading: whole, writing: whole };
  }

  const within = <T>(begin: string, task: () => T): T => {
    rows(begin);
    try {
      const result = task();
      rows('COMMIT');
      return result;
    } catch (error) {
      rollback();
      throw error;
    }
  };
  configure(rows);
  return {
    rows,
    reading: (task) => within('BEGIN', task),
    // A transaction that begins as a reader fails if another process writes before it does.
    writing: (task) => within('BEGIN IMMEDIATE', task),
  };
}

/** @throws {ConfigurationError} if the transaction of an application does not run its task, or not at once. */
function ranBy<T>(transaction: SqlTransaction, task: () => T): T {
  let outcome: { readonly result: T } | undefined;
  const returned = transaction(() => {
    outcome = { result: task() };
  });
  if (outcome && !(returned instanceof Promise)) return outcome.result;
  throw new ConfigurationError('sqlStore.transaction', returned, 'expected it to run its task and to return');
}

/** A commit is on the disk when it returns, and readers of other processes go on during it. */
function configure(rows: SqlConnection['rows']): void {
  const setting = (name: string): unknown => Object.values(rows(`PRAGMA ${name}`)[0] ?? {})[0];
  if (Number(setting('busy_timeout')) === 0) rows(`PRAGMA busy_timeout = ${BUSY_TIMEOUT}`);
  if (Number(setting('synchronous')) < 2) rows('PRAGMA synchronous = FULL');
  try {
    if (setting('journal_mode') !== 'wal') rows('PRAGMA journal_mode = WAL');
  } catch {
    // Another process has the file open in another mode, which is as safe.
  }
}
