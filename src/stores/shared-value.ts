import { promisifyRequest } from 'idb-keyval';
import { respondWithin } from '../core/deadlines.ts';
import { type Host, systemHost } from '../core/host.ts';
import { openChannel } from '../primitives/broadcast.ts';
import { Emitter } from '../primitives/emitter.ts';
import { openDatabase } from './indexeddb/connection.ts';

/**
 * A small value that pages and workers of an origin share, and that survives them: in IndexedDB, broadcast over a
 * `BroadcastChannel`.
 *
 * @param accept Whether a value is one: another version of the page may have written it.
 */
export function sharedValue<T>(
  name: string,
  accept: (value: unknown) => value is T,
  host: Host = systemHost,
) {
  // Elsewhere than in browsers it lives as long as the process.
  const connection =
    typeof indexedDB === 'object'
      ? openDatabase(name, 1, (database) => void database.createObjectStore(STORE))
      : undefined;
  let value: T | undefined;
  let isReceived = false;
  let sets = 0;
  const changes = new Emitter<T | undefined>();
  const receive = (received: unknown): void => {
    isReceived = true;
    const before = value;
    value = accept(received) ? received : undefined;
    if (value !== before) changes.emit(value);
  };
  const channel = openChannel(
    name,
    (posted) => ({ posted }),
    ({ posted }) => receive(posted),
  );
  const inTime = <T>(work: Promise<T>): Promise<T> =>
    respondWithin(TIMEOUT, `the database '${name}'`, host, work);
  const reading = connection
    ?.transaction('readonly', 'default', (transaction) =>
      promisifyRequest<unknown>(transaction.objectStore(STORE).get(KEY)),
    )
    .then((found) => {
      // A newer value may have come since this read began.
      if (!isReceived) receive(found);
    });
  return {
    /** `undefined` before `ready`, and if none was set. */
    get value(): T | undefined {
      return value;
    },
    /** Resolves when the value is known; also where it cannot be read, or not within 2 s. */
    ready: Promise.resolve(reading && inTime(reading)).catch(() => {}),
    /** Stores and broadcasts a value. @throws the database's error, or a `StorageError` if it is silent; open tabs get the value all the same. */
    async set(next: T | undefined): Promise<void> {
      const own = ++sets;
      const broadcast = (): void => {
        receive(next);
        channel.post(next);
      };
      broadcast();
      const writing = connection?.transaction('readwrite', 'default', (transaction) => {
        const store = transaction.objectStore(STORE);
        if (next === undefined) store.delete(KEY);
        else store.put(next, KEY);
        return promisifyRequest(transaction);
      });
      if (!writing) return;
      await inTime(writing);
      // A worker that has started since the first message may have read what was stored before.
      if (own === sets) broadcast();
    },
    /** Calls `listener` when the value has changed, here or in another tab. @returns ends the subscription. */
    subscribe: (listener: (value: T | undefined) => void) => changes.subscribe(listener),
    close(): void {
      channel.close();
      void connection?.close();
    },
  };
}

/** Some browsers never open a database, and no request of a service worker may wait for that. In ms. */
const TIMEOUT = 2_000;

const STORE = 'note';
const KEY = 'value';
