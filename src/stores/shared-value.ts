import { promisifyRequest } from 'idb-keyval';
import { openChannel } from '../primitives/broadcast.ts';
import { Emitter } from '../primitives/emitter.ts';
import { openDatabase } from './indexeddb/connection.ts';

/**
 * A small value that pages and workers of an origin share, and that survives them: in IndexedDB, broadcast over a
 * `BroadcastChannel`.
 *
 * @param accept Whether a value is one: another version of the page may have written it.
 */
export function sharedValue<T>(name: string, accept: (value: unknown) => value is T) {
  // Elsewhere than in browsers it lives as long as the process.
  const connection =
    typeof indexedDB === 'object'
      ? openDatabase(name, 1, (database) => void database.createObjectStore(STORE))
      : undefined;
  let value: T | undefined;
  let isReceived = false;
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
  const read = async (): Promise<void> => {
    const found = await connection
      ?.transaction('readonly', 'default', (transaction) =>
        promisifyRequest<unknown>(transaction.objectStore(STORE).get(KEY)),
      )
      .catch(() => undefined);
    // A newer value may have come since this read began.
    if (!isReceived) receive(found);
  };
  return {
    /** `undefined` before `ready`, and if none was set. */
    get value(): T | undefined {
      return value;
    },
    /** Settles when the value is known; also where it cannot be read. */
    ready: read(),
    /** Stores and broadcasts a value. @throws the database's error; open tabs get the value all the same. */
    async set(next: T | undefined): Promise<void> {
      receive(next);
      channel.post(next);
      await connection?.transaction('readwrite', 'default', (transaction) => {
        const store = transaction.objectStore(STORE);
        if (next === undefined) store.delete(KEY);
        else store.put(next, KEY);
        return promisifyRequest(transaction);
      });
    },
    /** Calls `listener` when the value has changed, here or in another tab. @returns ends the subscription. */
    subscribe: (listener: (value: T | undefined) => void) => changes.subscribe(listener),
    close(): void {
      channel.close();
      void connection?.close();
    },
  };
}

const STORE = 'note';
const KEY = 'value';
