import { StorageError } from '../../core/errors.ts';

/** A connection that is opened when it is needed. */
export type IdbConnection = ReturnType<typeof openDatabase>;

/** @param create Makes the object stores of a new database. */
export function openDatabase(name: string, version: number, create: (database: IDBDatabase) => void) {
  const losses = new Set<() => void>();
  let wasOpen = false;
  let opening: Promise<IDBDatabase> | undefined;

  /** A later open stays, also where the event of an earlier connection is late. */
  const reset = (of: Promise<IDBDatabase>): void => {
    if (opening === of) opening = undefined;
  };

  const open = (): Promise<IDBDatabase> => {
    if (opening) return opening;
    const own = new Promise<IDBDatabase>((resolve, reject) => {
      if (!globalThis.indexedDB) throw new StorageError('there is no IndexedDB here');
      const request = indexedDB.open(name, version);
      let cause: DOMException | null = null;
      request.onupgradeneeded = () => {
        const transaction = request.transaction as IDBTransaction;
        // The open itself only says that it was aborted.
        transaction.onabort = () => {
          cause = transaction.error;
        };
        create(request.result);
        if (wasOpen) for (const lost of losses) lost();
      };
      request.onerror = () => reject(cause ?? refusal(name, request.error));
      request.onsuccess = () => {
        wasOpen = true;
        const database = request.result;
        // The browser takes a connection away (storage cleared, disk trouble), or another tab wants a newer version.
        database.onclose = () => reset(own);
        database.onversionchange = () => {
          reset(own);
          database.close();
        };
        resolve(database);
      };
    });
    opening = own;
    // A failed open is not remembered: private mode may end.
    own.catch(() => reset(own));
    return own;
  };

  return {
    /**
     * Runs over all object stores, while the page is shown: a transaction that was aborted because the page was hidden runs
     * again when it is back.
     */
    async transaction<T>(
      mode: IDBTransactionMode,
      durability: IDBTransactionDurability,
      run: (transaction: IDBTransaction) => T | PromiseLike<T>,
    ): Promise<T> {
      // A listener that is there is not added again. In workers there are no such events.
      globalThis.addEventListener?.('pagehide', hide);
      for (let isReopened = false; ; ) {
        if (shown) await shown;
        let transaction: IDBTransaction | undefined;
        const used = open();
        try {
          const database = await used;
          transaction = database.transaction([...database.objectStoreNames], mode, { durability });
          running.add(transaction);
          if (shown) abort(transaction);
          return await run(transaction);
        } catch (error) {
          if (transaction && !running.has(transaction)) continue;
          // The connection was closed, without an event in some engines; Firefox may refuse the first transaction after one
          // that it has given up for want of room; or the user cleared the site during the open. Nothing of it was written.
          const isClosed =
            error instanceof DOMException &&
            (error.name === 'InvalidStateError' || (error.name === 'AbortError' && !transaction));
          if (isReopened || !isClosed) throw error;
          isReopened = true;
          reset(used);
        } finally {
          if (transaction) running.delete(transaction);
        }
      }
    },

    /** Calls `listener` if a database that was open before is gone: the user or the browser has deleted it. */
    onVanished(listener: () => void): () => void {
      losses.add(listener);
      return () => void losses.delete(listener);
    },

    async close(): Promise<void> {
      const closing = opening;
      opening = undefined;
      await closing?.then(
        (database) => database.close(),
        () => {},
      );
    },
  };
}

/** Why an open failed; a database of another format is neither read nor written, and nothing of it deleted. */
const refusal = (name: string, cause: DOMException | null): DOMException | StorageError | null =>
  cause?.name === 'VersionError'
    ? new StorageError(
        `the database '${name}' has a format that is not known here: of a newer page (reload this one), or of a preview of holdfast (name another)`,
        { code: 'storage-newer', transient: false, cause },
      )
    : cause;

/**
 * The open transactions. A page that enters the back/forward cache gets no events, so that they never end; WebKit keeps them
 * (WebKitGTK 2.50), and all other pages of the origin wait for them.
 */
const running = new Set<IDBTransaction>();

/** Resolves when the page is shown again; `undefined` while it is shown. */
let shown: Promise<void> | undefined;

/** https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-pagetransitionevent-interface */
function hide({ persisted }: PageTransitionEvent): void {
  if (!persisted) return;
  shown ??= new Promise((resolve) => {
    const show = (): void => {
      shown = undefined;
      resolve();
    };
    globalThis.addEventListener('pageshow', show, { once: true });
  });
  for (const transaction of running) abort(transaction);
}

/** A transaction that commits already cannot be aborted, and needs no event to end. */
function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
    running.delete(transaction);
  } catch {}
}
