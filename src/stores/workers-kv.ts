import { StorageError } from '../core/errors.ts';
import type { Change, Item, Store } from '../core/store.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import type { Bytes, Duration } from '../primitives/units.ts';
import { durationOrFalse, ofType, readSettings, withMethods } from '../primitives/validate.ts';
import {
  digestOf,
  type EncodedBody,
  encodeStoredBody,
  joined,
  jsonBytes,
  jsonOf,
  type Kind,
  plainOf,
  readJsonBytes,
  textOf,
} from './encoding.ts';
import { keyValueStore, writeAll } from './key-value.ts';

/** The used part of a `KVNamespace`. */
export interface WorkersKV {
  getWithMetadata(
    key: string,
    type: 'arrayBuffer',
  ): Promise<{ readonly value: ArrayBuffer | null; readonly metadata: unknown }>;
  put(
    key: string,
    value: Uint8Array<ArrayBuffer>,
    options: { readonly metadata: object; readonly expirationTtl?: number },
  ): Promise<void>;
  delete(key: string): Promise<void>;
  list(options: { readonly prefix: string; readonly cursor?: string }): Promise<WorkersKVPage>;
}

export interface WorkersKVPage {
  readonly keys: readonly { readonly name: string; readonly metadata?: unknown }[];
  readonly list_complete: boolean;
  readonly cursor?: string;
}

export interface WorkersKVStoreOptions {
  /** Names begin so. Stores of one name share their entries. Default `'holdfast'`. */
  readonly name?: string;
  /** An entry goes by itself when it was not written for so long; at least 1 min. Default `false`: it stays. */
  readonly expiresAfter?: Duration | false;
}

/** Bytes of a value. */
const LARGEST = 25 * 1024 * 1024;

/** Bytes of a name. */
const LONGEST = 512;

/** How much of a name that is too long is taken by the digest of the whole. */
const DIGEST = 65;

/**
 * Keeps entries in Workers KV, for a cache: other locations see a write after a minute or so, of two writers the
 * last one wins, and a key takes one write a second. An item and its body are one entry, so none is ever torn.
 *
 * @param namespace The binding, such as `env.CACHE`.
 * @throws {StorageError} from each operation that failed; an entry of more than 25 MiB fails the whole write.
 *
 * @example
 * export default {
 *   fetch(request: Request, env: Env) {
 *     const cache = staleCache({ store: workersKVStore(env.CACHE) });
 *     return createFetch({ partition: 'public', staleCache: cache })(request);
 *   },
 * };
 */
export function workersKVStore(namespace: WorkersKV, options: WorkersKVStoreOptions = {}): Store {
  const kv = bindingRule(namespace, 'workersKVStore.namespace');
  const { name, expiresAfter } = readSettings(
    'workersKVStore',
    { name: ['holdfast', ofType<string>('string')], expiresAfter: [Infinity, lifetimeRule] },
    options,
  );
  const base = `${escaped(name)}/`;
  const lifetime = expiresAfter < Infinity && { expirationTtl: Math.ceil(expiresAfter / 1000) };

  const read = async (name: string): Promise<Entry | undefined> => {
    const { value, metadata } = await kv.getWithMetadata(name, 'arrayBuffer');
    return value === null ? undefined : readEntry(value, metadata);
  };

  const find = async (key: string): Promise<Entry | undefined> => {
    const entry = await read(await nameOf(base, key));
    return entry?.item.key === key ? entry : undefined;
  };

  /** As the list has it, or as it has to be read. */
  const listedEntry = async ({ name, metadata }: Listed): Promise<ListedEntry | undefined> => {
    const head = headIn(metadata);
    return head ? { item: head.item, bodyIn: name } : read(name);
  };

  const found = async (prefix: string): Promise<ListedEntry[]> => {
    const begin = (base + escaped(prefix)).slice(0, LONGEST - DIGEST);
    const listed: Listed[] = [];
    for (let page: WorkersKVPage | undefined; !page?.list_complete; listed.push(...page.keys))
      page = await kv.list({ prefix: begin, ...(page?.cursor !== undefined && { cursor: page.cursor }) });
    return (await Promise.all(listed.map(listedEntry))).filter((each) => each !== undefined);
  };

  /** @returns writes it. KV has one value under a name, so the parts that stay are written again. */
  const prepared = async (key: string, change: Change): Promise<() => Promise<void>> => {
    const name = await nameOf(base, key);
    if ('delete' in change) return () => kv.delete(name);
    const { put: item, body } = change;
    const before = body === undefined ? await find(key) : undefined;
    // A second write within a second would be refused. One that keeps it from expiring is needed.
    if (before && !lifetime && textOf(before.item) === textOf(item)) return async () => {};
    const encoded = body === undefined ? before?.body : body === null ? body : await encodeStoredBody(body);
    const { value, metadata } = writtenEntry({ item, ...(encoded && { body: encoded }) });
    if (value.length > LARGEST)
      throw new StorageError(`Workers KV: ${value.length} bytes are more than a value may have: ${LARGEST}`, {
        transient: false,
      });
    return () => kv.put(name, value, { metadata, ...lifetime });
  };

  return {
    name: `workers-kv:${name}`,
    durable: true,
    ...keyValueStore<ListedEntry>('Workers KV', {
      find,
      found,
      bodyOf: async ({ body, bodyIn }) => (bodyIn === undefined ? body : (await read(bodyIn))?.body),
      write: (changes) => writeAll(changes, prepared),
    }),
  };
}

type Listed = WorkersKVPage['keys'][number];

const bindingRule = /* @__PURE__ */ withMethods<WorkersKV>(
  'a KV namespace, such as env.CACHE',
  'getWithMetadata',
  'put',
  'delete',
  'list',
);

const lifetimeRule = (value: unknown, option: string): number => {
  const ms = durationOrFalse(value, option);
  if (ms >= 60_000) return ms;
  throw new ConfigurationError(option, value, "expected at least '1m', or false");
};

/** ASCII alone, unit by unit, so that a prefix of a key becomes a prefix of its name. */
const escaped = (key: string): string =>
  key.replace(/[^ -$&-~]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Of a key that is too long, its beginning and a digest of all of it. */
async function nameOf(base: string, key: string): Promise<string> {
  const name = base + escaped(key);
  if (name.length <= LONGEST) return name;
  return `${name.slice(0, LONGEST - DIGEST)}%${await digestOf(name)}`;
}

/** An item with its body. */
interface Entry {
  readonly item: Item;
  readonly body?: EncodedBody | undefined;
}

interface ListedEntry extends Entry {
  /** The name under which its body is, if the list has the item alone. */
  readonly bodyIn?: string;
}

interface Metadata {
  readonly schema: typeof SCHEMA;
  /** The head, or how many bytes of the value it has. */
  readonly head: object | number;
}

/** An entry but for the bytes of its body. */
interface Head {
  readonly item: Item;
  readonly body?: { readonly kind: Kind; readonly size: number } | undefined;
}

/** Values of another version are ignored. */
const SCHEMA = 1;

/** Bytes of metadata, as JSON. */
const ROOM = 1024;

/** The body is the value; the head is the metadata if there is room for it, else it goes before the body. */
function writtenEntry({ item, body }: Entry): { value: Bytes; metadata: Metadata } {
  const described = body && { kind: body.kind, size: body.bytes.length };
  const head: Head = { item, ...(described && { body: described }) };
  const metadata: Metadata = { schema: SCHEMA, head: jsonOf(head) as object };
  const value = body?.bytes ?? new Uint8Array();
  const text = JSON.stringify(metadata);
  // It is sent as a header.
  if (text.length <= ROOM && /^[ -~]*$/.test(text)) return { value, metadata };
  const before = jsonBytes(head);
  return { value: joined([before, value]), metadata: { schema: SCHEMA, head: before.length } };
}

/** @returns `undefined` for the value of another program, and for half a head. An incomplete body counts as none. */
function readEntry(value: ArrayBuffer, metadata: unknown): Entry | undefined {
  if (!isOurs(metadata)) return undefined;
  const inside = typeof metadata.head === 'number' ? metadata.head : 0;
  let head = headIn(metadata);
  try {
    head ??= readJsonBytes(new Uint8Array(value, 0, inside)) as Head;
  } catch {
    return undefined;
  }
  const bytes = new Uint8Array(value.slice(inside));
  const isWhole = bytes.length === head.body?.size;
  return { item: head.item, ...(head.body && isWhole && { body: { bytes, kind: head.body.kind } }) };
}

/** @returns `undefined` where the entry has to be read. */
const headIn = (metadata: unknown): Head | undefined =>
  isOurs(metadata) && typeof metadata.head === 'object' ? (plainOf(metadata.head) as Head) : undefined;

const isOurs = (metadata: unknown): metadata is Metadata =>
  (metadata as Partial<Metadata> | null | undefined)?.schema === SCHEMA;
