/**
 * The transactions of a page that enters the back/forward cache. Such a page gets no events, so that its open transactions never end; WebKit
 * keeps them (WebKitGTK 2.50), and all other pages of the origin wait for them.
 */

const open = new Set<IDBTransaction>();

/** Resolves when the page is shown again; `undefined` while it is shown. */
let shown: Promise<void> | undefined;

let isListening = false;

/** https://html.spec.whatwg.org/multipage/nav-history-apis.html#the-pagetransitionevent-interface */
function listen(): void {
  if (isListening) return;
  isListening = true;
  // In workers there are no such events.
  globalThis.addEventListener?.('pagehide', ({ persisted }) => {
    if (!persisted) return;
    shown ??= new Promise((resolve) => {
      const show = (): void => {
        shown = undefined;
        resolve();
      };
      globalThis.addEventListener('pageshow', show, { once: true });
    });
    for (const transaction of open) abort(transaction);
  });
}

/** A transaction that commits already cannot be aborted, and needs no event to end. */
function abort(transaction: IDBTransaction): void {
  try {
    transaction.abort();
    open.delete(transaction);
  } catch {}
}

/** Runs a transaction while the page is shown: one that was aborted because the page was hidden runs again when it is back. */
export async function whileShown<T>(
  begin: () => Promise<IDBTransaction>,
  run: (transaction: IDBTransaction) => T | PromiseLike<T>,
): Promise<T> {
  listen();
  for (;;) {
    if (shown) await shown;
    const transaction = await begin();
    open.add(transaction);
    if (shown) abort(transaction);
    try {
      return await run(transaction);
    } catch (error) {
      if (open.has(transaction)) throw error;
    } finally {
      open.delete(transaction);
    }
  }
}
