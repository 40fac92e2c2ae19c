import type { Change, Store } from '../core/store.ts';
import { readSettings, rule, withMethods } from '../primitives/validate.ts';
import { base64Of, bytesOf, type EncodedBody, joined, readText, textOf } from './encoding.ts';
import { type KeptItem, keptAfter, keyValueStore, writeAll } from './key-value.ts';

/** The used part of a `Storage` that unstorage's `createStorage` makes. */
export interface Unstorage {
  getItem(key: string): Promise<unknown>;
  setItem(key: string, value: string): Promise<void>;
  getItemRaw(key: string): Promise<unknown>;
  setItemRaw(key: string, value: Uint8Array<ArrayBuffer>): Promise<void>;
  removeItem(key: string): Promise<void>;
  getKeys(base: string): Promise<string[]>;
  getMount?(key: string): { readonly driver: object };
}

export interface UnstorageStoreOptions {
  /** Keys begin so. Stores of one name share their entries. Default `'holdfast'`. */
  readonly name?: string;
}

/** Marks an item of this version. It also keeps unstorage from parsing the item as JSON. */
const SCHEMA = 'holdfast/1 ';

/** Before a body are so many bytes of its id: of two writers one may have written the item and the other the body. */
const ID = 36;

/** Where a driver keeps no bytes; unstorage reads it so. */
const BASE64 = 'base64:';

const utf8 = new TextEncoder();
const text = new TextDecoder();

/**
 * Keeps entries by any driver of unstorage, for a cache: of two writers the last one wins, and an item may be
 * there without its body, but never with another's.
 *
 * @param storage The result of `createStorage({ driver })`.
 * @throws {StorageError} from each operation that failed.
 *
 * @example
 * import { createStorage } from 'unstorage';
 *
 * const cache = staleCache({ store: unstorageStore(createStorage()) });
 * const fetch = createFetch({ partition: 'public', staleCache: cache });
 */
export function unstorageStore(storage: Unstorage, options: UnstorageStoreOptions = {}): Store {
  storageRule(storage, 'unstorageStore.storage');
  const { name } = readSettings('unstorageStore', { name: ['holdfast', nameRule] }, options);
  // The endings keep every name from being a prefix of another.
  const itemAt = (key: string): string => `${name}:${partsOf(key.split(' '))}.item`;
  const bodyAt = (key: string): string => `${name}:${partsOf(key.split(' '))}.body`;

  const find = async (key: string): Promise<KeptItem | undefined> => {
    const kept = keptIn(await storage.getItem(itemAt(key)));
    return kept?.item.key === key ? kept : undefined;
  };

  const found = async (prefix: string): Promise<KeptItem[]> => {
    const names = await storage.getKeys(`${name}:${baseOf(prefix)}`);
    const keys = names.map((each) => keyOf(each.slice(name.length + 1)));
    const kept = keys.map((key) => (key?.startsWith(prefix) ? find(key) : undefined));
    return (await Promise.all(kept)).filter((each) => each !== undefined);
  };

  /** @returns `undefined` also for one that has gone, is not whole, or is another writer's. */
  const bodyOf = async ({ item, body }: KeptItem): Promise<EncodedBody | undefined> => {
    const stored = body && (await bytesIn(await storage.getItemRaw(bodyAt(item.key))));
    if (stored?.length !== (body?.size ?? 0) + ID) return undefined;
    return text.decode(stored.subarray(0, ID)) === body?.id
      ? { bytes: stored.slice(ID), kind: body.kind }
      : undefined;
  };

  const putBody = (at: string, bytes: Uint8Array<ArrayBuffer>): Promise<void> => {
    const driver = storage.getMount?.(at).driver;
    // unstorage's own way to write bytes as text fails for many of them where there is no `Buffer`.
    return driver && 'setItemRaw' in driver
      ? storage.setItemRaw(at, bytes)
      : storage.setItem(at, BASE64 + base64Of(bytes));
  };

  /** @returns writes it. */
  const prepared = async (key: string, change: Change): Promise<() => Promise<void>> => {
    if ('delete' in change)
      return async () => {
        await storage.removeItem(itemAt(key));
        await storage.removeItem(bodyAt(key));
      };
    const { kept, added } = await keptAfter(change, () => find(key));
    const written = SCHEMA + textOf(kept);
    return async () => {
      if (added) await putBody(bodyAt(key), joined([utf8.encode(added.id), added.bytes]));
      await storage.setItem(itemAt(key), written);
      if (change.body === null) await storage.removeItem(bodyAt(key));
    };
  };

  return {
    name: `unstorage:${name}`,
    // No driver says whether it is; tokens are to be encrypted rather than written to a disk in the clear.
    durable: true,
    ...keyValueStore('unstorage', {
      find,
      found,
      bodyOf,
      write: (changes) => writeAll(changes, prepared),
    }),
  };
}

const storageRule = /* @__PURE__ */ withMethods<Unstorage>(
  'a storage that createStorage({ driver }) has made',
  'getItem',
  'setItem',
  'getItemRaw',
  'setItemRaw',
  'removeItem',
  'getKeys',
);

const nameRule = /* @__PURE__ */ rule<string>(
  'lower-case letters, digits, _ and -',
  (value) => typeof value === 'string' && /^[a-z0-9_-]+$/.test(value),
);

/** @returns `undefined` for the value of another program, and for half an item. */
function keptIn(stored: unknown): KeptItem | undefined {
  if (typeof stored !== 'string' || !stored.startsWith(SCHEMA)) return undefined;
  try {
    return readText(stored.slice(SCHEMA.length)) as KeptItem;
  } catch {
    return undefined;
  }
}

/** Drivers give bytes back in different ways. */
async function bytesIn(stored: unknown): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (typeof stored === 'string')
    return stored.startsWith(BASE64) ? bytesOf(stored.slice(BASE64.length)) : undefined;
  if (stored instanceof Blob) return new Uint8Array(await stored.arrayBuffer());
  if (stored instanceof ArrayBuffer) return new Uint8Array(stored);
  return stored instanceof Uint8Array ? joined([stored]) : undefined;
}

/** The longest part of a name: file systems have 255 bytes. */
const LONGEST = 200;

/** Ends a part that goes on in the next. */
const MORE = '+';

/** The prefix of the names of all keys with a prefix, and perhaps of more. */
function baseOf(prefix: string): string {
  const words = prefix.split(' ').slice(0, -1);
  return words.length === 0 ? '' : `${partsOf(words)}:`;
}

/** @returns `undefined` if this is not the name of an item. */
function keyOf(name: string): string | undefined {
  if (!name.endsWith('.item')) return undefined;
  return name
    .slice(0, -'.item'.length)
    .replaceAll(`${MORE}:`, '')
    .split(':')
    .map((part) => part.slice(1).replace(/~(u....|..)/g, (_, code) => unescaped(code)))
    .join(' ');
}

/**
 * The name of a key: a part for each of its words, as drivers list what is under some parts. There is nothing in it that a
 * driver, a file system or a URL would read as something else, nor a capital letter, as some do not tell these apart. Each
 * part begins with a letter, as none may be empty.
 */
const partsOf = (words: readonly string[]): string =>
  words.map((word) => cut(`k${word.replace(/[^a-z0-9_-]/g, escaped)}`)).join(':');

const cut = (part: string): string =>
  part.length <= LONGEST ? part : `${part.slice(0, LONGEST)}${MORE}:${cut(part.slice(LONGEST))}`;

function escaped(unit: string): string {
  const code = unit.charCodeAt(0);
  return code < 256 ? `~${code.toString(16).padStart(2, '0')}` : `~u${code.toString(16).padStart(4, '0')}`;
}

const unescaped = (code: string): string => String.fromCharCode(Number.parseInt(code.replace('u', ''), 16));
