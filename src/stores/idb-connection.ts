import { StorageError } from '../core/errors.ts';

/** A connection that is opened when it is needed. */
export interface Connection {
  transaction<T>(
    stores: readonly string[],
    mode: IDBTransactionMode,
    durability: IDBTransactionDurability | undefined,
    run: (transaction: IDBTransaction) => T | PromiseLike<T>,
  ): Promise<T>;
  close(): Promise<void>;
}

/**
 * Brings a database to the wanted version, as one: what it throws leaves the database as it was.
 *
 * @param from The version that it has; 0 for a new one.
 */
export type Upgrade = (database: IDBDatabase, transaction: IDBTransaction, from: number) => Promise<void>;

export function openDatabase(name: string, version: number, upgrade: Upgrade): Connection {
  let opening: Promise<IDBDatabase> | undefined;
  /** Another tab is in the way: why an open failed that still goes on, and its end. */
  let blocked: { readonly why: StorageError; readonly end: Promise<IDBDatabase> } | undefined;
  /** Grows when the connection is given back: one that comes later is nobody's. */
  let closed = 0;

  const forget = (): void => {
    opening = undefined;
  };

  /** The browser takes a connection away (storage cleared, disk trouble), or another tab wants a newer version. */
  const keep = (database: IDBDatabase): IDBDatabase => {
    database.onclose = forget;
    database.onversionchange = () => {
      forget();
      database.close();
    };
    return database;
  };

  const open = (): Promise<IDBDatabase> => {
    // Another open would wait behind the one that waits, and not be told.
    if (blocked) return soon(blocked.end, blocked.why);
    opening ??= new Promise<IDBDatabase>((resolve, reject) => {
      if (!globalThis.indexedDB) throw new StorageError('there is no IndexedDB here');
      const request = indexedDB.open(name, version);
      const since = closed;
      let succeeded = (_: IDBDatabase): void => {};
      let failed = (_: unknown): void => {};
      const end = new Promise<IDBDatabase>((give, refuse) => {
        succeeded = give;
        failed = refuse;
      });
      end.then(resolve, reject);
      request.onupgradeneeded = ({ oldVersion }) => {
        const transaction = request.transaction as IDBTransaction;
        asOne(transaction, upgrade(request.result, transaction, oldVersion), failed);
      };
      request.onblocked = () => {
        const why = new StorageError(
          `the database '${name}' is held open by another tab with an older version of this page`,
        );
        blocked = { why, end };
        reject(why);
      };
      request.onerror = () => {
        blocked = undefined;
        failed(refusal(name, request.error));
      };
      request.onsuccess = () => {
        const database = request.result;
        if (blocked && since !== closed) database.close();
        else if (blocked) opening = Promise.resolve(keep(database));
        else keep(database);
        blocked = undefined;
        succeeded(database);
      };
    });
    // A failed open is not remembered: private mode may end, a blocking tab may close.
    opening.catch(forget);
    return opening;
  };

  const begin = async (
    stores: readonly string[],
    mode: IDBTransactionMode,
    durability: IDBTransactionDurability | undefined,
  ): Promise<IDBTransaction> => (await open()).transaction([...stores], mode, durability && { durability });

  return {
    async transaction(stores, mode, durability, run) {
      try {
        return await run(await begin(stores, mode, durability));
      } catch (error) {
        // The connection was closed under us, without an event in some engines; and Firefox may refuse the first
        // transaction after one that it has given up for want of room. Nothing of it was written.
        if (!(error instanceof DOMException) || error.name !== 'InvalidStateError') throw error;
        forget();
        return run(await begin(stores, mode, durability));
      }
    },
    async close() {
      const closing = opening;
      closed++;
      forget();
      await closing?.then(
        (database) => database.close(),
        () => {},
      );
    },
  };
}

/** How long a call waits for another tab that is in the way, in ms: it may just be going. */
const GOING = 1_000;

function soon<T>(end: Promise<T>, why: Error): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(why), GOING);
    end.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

/** @param failed Told why; the open itself only says that it was aborted. */
function asOne(transaction: IDBTransaction, work: Promise<void>, failed: (cause: unknown) => void): void {
  let thrown: unknown;
  work.catch((error) => {
    thrown = error;
    try {
      transaction.abort();
    } catch {
      // One of its requests has failed, which has aborted it.
    }
  });
  transaction.onabort = () => {
    const cause = transaction.error ?? thrown;
    if (cause) failed(cause);
  };
}

/** Why an open failed; a database of a newer version is neither read nor written, and nothing of it deleted. */
const refusal = (name: string, cause: DOMException | null): DOMException | StorageError | null =>
  cause?.name === 'VersionError'
    ? new StorageError(
        `the database '${name}' was written by a newer version of this page; reloading the page helps`,
        { code: 'storage-newer', transient: false, cause },
      )
    : cause;
