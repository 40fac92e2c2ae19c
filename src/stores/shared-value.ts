import { createStore, del, get, set } from 'idb-keyval';
import { openChannel } from '../core/channel.ts';

/** A small value that pages and workers of an origin share, and that survives them. */
export interface SharedNote<T> {
  /** What is known just now; `undefined` before `ready`, and where nobody has said anything. */
  readonly value: T | undefined;
  /** Settles when it is known; also where it cannot be read. */
  readonly ready: Promise<void>;
  /** Says it to everybody. @throws what the database does; then those that live hear it all the same. */
  set(value: T | undefined): Promise<void>;
  /** Gives back the channel. */
  close(): void;
}

/**
 * Kept in IndexedDB, told over a `BroadcastChannel`.
 *
 * @param accept Whether a value is one: another version of the page may have written it.
 */
export function sharedValue<T>(name: string, accept: (value: unknown) => value is T): SharedNote<T> {
  // Elsewhere than in browsers it lives as long as the process.
  const store = typeof indexedDB === 'object' ? createStore(name, 'note') : undefined;
  let value: T | undefined;
  let isHeard = false;
  const hear = (heard: unknown): void => {
    isHeard = true;
    value = accept(heard) ? heard : undefined;
  };
  const channel = openChannel(
    name,
    (posted) => ({ posted }),
    ({ posted }) => hear(posted),
  );
  const read = async (): Promise<void> => {
    const found = store && (await get(KEY, store).catch(() => undefined));
    // Somebody may have said something else since this was asked for.
    if (!isHeard) hear(found);
  };
  const ready = read();
  return {
    get value() {
      return value;
    },
    ready,
    async set(next) {
      hear(next);
      channel.post(next);
      if (store) await (next === undefined ? del(KEY, store) : set(KEY, next, store));
    },
    close: channel.close,
  };
}

const KEY = 'value';
