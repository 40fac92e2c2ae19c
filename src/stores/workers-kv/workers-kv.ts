import { StorageError } from '../../core/errors.ts';
import type { Change, Item, RangeQuery, Store } from '../../core/store.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Duration } from '../../primitives/units.ts';
import { durationOrFalse, ofType, readOptions, withMethods } from '../../primitives/validate.ts';
import { writeAll } from '../batch.ts';
import { decodeStoredBody, digestOf, encodeStoredBody } from '../bytes.ts';
import { page } from '../listing.ts';
import { textOf } from '../structured-json.ts';
import { explainedBy } from '../wrap-storage-errors.ts';
import { type Entry, headIn, readEntry, writtenEntry } from './entry.ts';

/** What is used of a `KVNamespace`. */
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
 * Keeps entries in Workers KV, for a cache: what is written is seen elsewhere after a minute or so, of two writers the
 * last one wins, and a key takes one write a second. An item and its body are one entry, so none is ever torn.
 *
 * @param namespace The binding, such as `env.CACHE`.
 * @throws {StorageError} from each operation that failed; an entry of more than 25 MiB is not written, nor what was to be
 *   written with it.
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
  const { name, expiresAfter } = readOptions<{ name: string; expiresAfter: number }>(
    'workersKVStore',
    options,
    { name: ofType<string>('string'), expiresAfter: lifetimeRule },
    { name: 'holdfast', expiresAfter: Infinity },
  );
  const base = `${escaped(name)}/`;
  const lifetime = expiresAfter < Infinity && { expirationTtl: Math.ceil(expiresAfter / 1000) };

  const read = async (name: string): Promise<Entry | undefined> => {
    const { value, metadata } = await kv.getWithMetadata(name, 'arrayBuffer');
    return value === null ? undefined : readEntry(value, metadata);
  };

  const find = async (key: string): Promise<Entry | undefined> => {
    const found = await read(await nameOf(base, key));
    return found?.item.key === key ? found : undefined;
  };

  /** Whatever begins with a prefix, and perhaps more. */
  const listed = async (prefix: string): Promise<WorkersKVPage['keys'][number][]> => {
    const begin = (base + escaped(prefix)).slice(0, LONGEST - DIGEST);
    const found: WorkersKVPage['keys'][number][] = [];
    for (let cursor: string | undefined; ; ) {
      const next = await kv.list({ prefix: begin, ...(cursor !== undefined && { cursor }) });
      found.push(...next.keys);
      if (next.list_complete) return found;
      cursor = next.cursor;
    }
  };

  /** What begins with the prefix of a query, as the list has it, or as it has to be read. */
  const found = async ({ prefix = '' }: RangeQuery): Promise<Found[]> => {
    const names = await listed(prefix);
    const all = names.map(async ({ name, metadata }): Promise<Found | undefined> => {
      const head = headIn(metadata);
      if (head) return { item: head.item, whole: () => read(name) };
      const entry = await read(name);
      return entry && { item: entry.item, whole: async () => entry };
    });
    return (await Promise.all(all)).filter((each) => each !== undefined);
  };

  /** @returns writes it. KV has one value under a name, so what is to stay of it is written again. */
  const prepared = async (key: string, change: Change): Promise<() => Promise<void>> => {
    const name = await nameOf(base, key);
    if ('delete' in change) return () => kv.delete(name);
    const { put: item, body } = change;
    const before = body === undefined ? await find(key) : undefined;
    // A second write within a second would be refused. One that keeps it from expiring is needed.
    if (before && !lifetime && textOf(before.item) === textOf(item)) return async () => {};
    const whole = body === undefined ? before?.body : body === null ? body : await encodeStoredBody(body);
    const { value, metadata } = writtenEntry({ item, ...(whole && { body: whole }) });
    if (value.length > LARGEST)
      throw new StorageError(`Workers KV: ${value.length} bytes are more than a value may have: ${LARGEST}`, {
        transient: false,
      });
    return () => kv.put(name, value, { metadata, ...lifetime });
  };

  const explained = explainedBy('Workers KV');
  return {
    name: `workers-kv:${name}`,
    durable: true,
    get: (key) => explained('get', async () => (await find(key))?.item),
    body: (key) =>
      explained('body', async () => {
        const body = (await find(key))?.body;
        return body && decodeStoredBody(body);
      }),
    range: (query) =>
      explained('range', async () =>
        page(
          (await found(query)).map(({ item }) => item),
          query,
        ),
      ),
    rangeWithBodies: (query, pick = (items) => items) =>
      explained('rangeWithBodies', async () => {
        const all = await found(query);
        const picked = pick(
          page(
            all.map(({ item }) => item),
            query,
          ),
        ).map(({ key }) => key);
        const entries = await Promise.all(
          picked.map((key) => all.find(({ item }) => item.key === key)?.whole()),
        );
        // It may have been deleted in between.
        return entries.flatMap((entry) =>
          entry ? [{ ...entry.item, body: entry.body && decodeStoredBody(entry.body) }] : [],
        );
      }),
    write: (changes) => explained('write', () => writeAll(changes, prepared)),
    async close() {},
  };
}

interface Found {
  readonly item: Item;
  whole(): Promise<Entry | undefined>;
}

const bindingRule = withMethods<WorkersKV>(
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

/** ASCII alone, one code unit after the other: what a key begins with, its name begins with, too. */
const escaped = (key: string): string =>
  key.replace(/[^ -$&-~]/g, (unit) => `%${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);

/** Of a key that is too long, its beginning and a digest of all of it. */
async function nameOf(base: string, key: string): Promise<string> {
  const name = base + escaped(key);
  if (name.length <= LONGEST) return name;
  return `${name.slice(0, LONGEST - DIGEST)}%${await digestOf(name)}`;
}
