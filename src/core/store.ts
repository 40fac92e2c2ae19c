import { isFailure } from '../primitives/failure.ts';
import type { Lock } from '../primitives/locks.ts';
import { type Rule, withMethods } from '../primitives/validate.ts';
import { StorageError } from './errors.ts';

/** The record of a key: a small value that can be listed, and perhaps a body that is read by itself. */
export interface Item<V = unknown> {
  /** Ordered by UTF-16 code units. */
  readonly key: string;
  /** Items of one group can be listed by themselves, in the order of their keys. */
  readonly group?: string;
  /** As `group`, and independent of it: what is listed over several groups, in one order. */
  readonly collection?: string;
  /** Plain data as the structured clone algorithm takes it. */
  readonly value: V;
}

/** An item with its body. */
export interface ItemWithBody<V = unknown> extends Item<V> {
  readonly body: StoredBody | undefined;
}

export type StoredBody = Uint8Array<ArrayBuffer> | Blob | string;

/**
 * `body: undefined` leaves the stored body as it is; `null` removes it. `isNew`: the writer knows that the key is free,
 * so that a store need not look for an earlier body.
 */
export type Change =
  | { readonly put: Item; readonly body?: StoredBody | null | undefined; readonly isNew?: boolean }
  | { readonly delete: string };

export interface RangeQuery {
  /** Keys that begin with this. */
  readonly prefix?: string;
  /** Items of this group only. */
  readonly group?: string;
  /** Items of this collection only; not beside `group`. */
  readonly collection?: string;
  /** Keys after this one. */
  readonly after?: string;
  /** At most so many. Default: all. */
  readonly limit?: number;
}

/** The name of a group or of a collection. */
export interface ListName {
  readonly by: 'group' | 'collection';
  readonly name: string;
}

/** What a query lists; `undefined`: all items. */
export function listingOf({ group, collection }: RangeQuery): ListName | undefined {
  if (group !== undefined) return { by: 'group', name: group };
  return collection === undefined ? undefined : { by: 'collection', name: collection };
}

/** A store that is enough for a cache: changes need not be atomic over several keys. */
export interface Store {
  /** For events and errors. */
  readonly name: string;
  /** What is written survives the process. */
  readonly durable: boolean;
  /** Only pages and workers of one web origin can open it, and these share Web Locks and channels as well. */
  readonly withinOrigin?: boolean;
  get(key: string): Promise<Item | undefined>;
  body(key: string): Promise<StoredBody | undefined>;
  /** Items without their bodies, in the order of their keys. */
  range(query: RangeQuery): Promise<Item[]>;
  /** Items, each with the body that was written with it; for a few of them. */
  rangeWithBodies(query: RangeQuery): Promise<ItemWithBody[]>;
  write(changes: readonly Change[]): Promise<void>;
  /** Gives back connections. A later use opens them again. */
  close(): Promise<void>;
}

/** A store for an outbox. */
export interface AtomicStore extends Store {
  /** Its own lock, over all processes that share it. Default: Web Locks and, beyond a web origin, a lease in the store. */
  readonly lock?: Lock;
  /** The object within which names of outboxes are unique. Default: the realm, whose stores have one database each. */
  readonly scope?: object;
  /** Calls `listener` when the database was deleted while it was in use. @returns ends the subscription. */
  onVanished?(listener: () => void): () => void;
  /** The different groups whose name begins with `prefix`, in order; at most `limit` of them. */
  groups(prefix: string, limit?: number): Promise<string[]>;
  /** How many items a group or a collection has, without reading them. */
  count(of: { readonly group: string } | { readonly collection: string }): Promise<number>;
  /**
   * Reads some keys and writes by their values, as one transaction: all of it or nothing, isolated. Changes asked
   * for at once are committed together.
   *
   * @param decide Pure and synchronous; it may be run again. What it throws rejects this change and no other.
   * @param options.strict Settles only when the data is on the disk, as far as the platform can tell.
   */
  change<T>(
    keys: readonly string[],
    decide: (found: readonly (Item | undefined)[]) => Transaction<T>,
    options?: { readonly strict?: boolean },
  ): Promise<T>;
}

export interface Transaction<T> {
  readonly changes: readonly Change[];
  readonly result: T;
}

const METHODS = ['get', 'body', 'range', 'rangeWithBodies', 'write', 'close'] as const;

// Functions, because esbuild keeps a call with a spread even if its result is not used.
export const storeRule: Rule<Store> = (value, option) =>
  withMethods<Store>('a store', ...METHODS)(value, option);

export const atomicStoreRule: Rule<AtomicStore> = (value, option) =>
  withMethods<AtomicStore>(
    'a store with atomic changes',
    ...METHODS,
    'groups',
    'count',
    'change',
  )(value, option);

/** After every key that begins with `prefix`. */
export const prefixEnd = (prefix: string): string => `${prefix}\uffff`;

/** As `change` if the store has it; else a read and then a write, between which another writer may come. */
export async function changeOf<T>(
  store: Store | AtomicStore,
  keys: readonly string[],
  decide: (found: readonly (Item | undefined)[]) => Transaction<T>,
): Promise<T> {
  if (isAtomic(store)) return store.change(keys, decide);
  const { changes, result } = decide(await Promise.all(keys.map((key) => store.get(key))));
  if (changes.length) await store.write(changes);
  return result;
}

export const isAtomic = (store: Store | AtomicStore): store is AtomicStore => 'change' in store;

/** Encrypts records, so that they cannot be read from the disk. */
export interface Cipher {
  /** @param context The record that the bytes belong to: they cannot be decrypted as another one. */
  encrypt(plain: Uint8Array<ArrayBuffer>, context: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * @throws {StorageError} if the key is unavailable just now: it is tried again.
   * @throws any other error if the bytes were changed, belong to another record, or were encrypted with another key.
   */
  decrypt(encrypted: Uint8Array<ArrayBuffer>, context: string): Promise<Uint8Array<ArrayBuffer>>;
  /** A hash, the same for the same text: for the keys of records. Without a key of its own it hides only what cannot be guessed. */
  hashKey(text: string): Promise<string>;
  /** The database of the records was deleted, and perhaps that of the key with it: stores the key again. Must not throw. */
  restore?(): void;
}

export const cipherRule: Rule<Cipher> = /* @__PURE__ */ withMethods(
  'a cipher such as encryptWith(key) makes',
  'encrypt',
  'decrypt',
  'hashKey',
);

/** Whether a store failed because its quota is exceeded, by the names of the platforms. */
export function isQuotaExceeded(error: unknown): boolean {
  for (let each = error, depth = 0; each instanceof Object && depth < 5; depth++) {
    if ((each as { name?: unknown }).name === 'QuotaExceededError') return true;
    each = (each as { cause?: unknown }).cause;
  }
  return false;
}

/**
 * Wraps errors of a platform's storage with the names of the platform and the operation.
 *
 * @param causeOf Replaces the platform's own error by the one that callers look for.
 */
export const explainedBy =
  (platform: string, causeOf = (error: unknown): unknown => error) =>
  async <T>(operation: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      if (isFailure(error)) throw error;
      // A transaction that the browser gave up has no error at all.
      const reason = `${error ?? 'the transaction was aborted'}`.replace(/^Error: /, '');
      throw new StorageError(`${platform}: ${operation} failed: ${reason}`, {
        cause: causeOf(error),
      });
    }
  };
