import {
  type AtomicStore,
  explainedBy,
  type ItemWithBody,
  type ListName,
  listingOf,
  prefixEnd,
  type RangeQuery,
} from '../../core/store.ts';
import { isFailure } from '../../primitives/failure.ts';
import type { Bytes } from '../../primitives/units.ts';
import { readSettings, rule } from '../../primitives/validate.ts';
import { decodeStoredBody } from '../encoding.ts';
import { groupCommit, rejectAll } from '../group-commit.ts';
import { commitsTo, type Look } from './commit.ts';
import { type DenoKv, justAfter, type KvConnection, kvConnection } from './connection.ts';
import {
  type Bodies,
  bodiesIn,
  type DenoKvRecord,
  HEAD,
  type KvKeys,
  kvKeys,
  namesOf,
  readRecord,
} from './layout.ts';
import { type RedoLog, redoLog } from './redo-log.ts';

export interface DenoKvStoreOptions {
  /** Its keys begin so. Stores of one name share their entries. Default `'holdfast'`. */
  readonly name?: string;
}

/**
 * Keeps entries in Deno KV, which processes may share: every change is atomic, however large it is, and is decided again after a
 * concurrent write. A commit is on the disk when it resolves.
 *
 * @param kv A database: `await Deno.openKv()`; or a function that opens one at the first use, such as
 *   `() => Deno.openKv('orders.db')`, which `close()` then closes.
 * @throws {ConfigurationError} if `kv` is `undefined`, as `Deno.openKv` is without `--unstable-kv`.
 * @throws {StorageError} from each operation that failed; an item of more than 64 kB without its body fails the
 *   whole write; code `storage-unknown` if a commit failed and may have been made; code `storage-newer` if a newer version of the program has written the entries.
 *
 * @example
 * const queue = outbox({ store: denoKvStore(() => Deno.openKv()) });
 * const fetch = createFetch({ partition: 'public', outbox: queue });
 */
export function denoKvStore(
  kv: DenoKv | (() => Promise<DenoKv>),
  options: DenoKvStoreOptions = {},
): AtomicStore {
  const connection = kvConnection(kv, 'denoKvStore.kv');
  const { name } = readSettings('denoKvStore', { name: ['holdfast', nameRule] }, options);
  const keys = kvKeys(name);
  const bodies = bodiesIn(connection, keys);
  const log = redoLog(connection, keys, bodies);
  const { look, record, range, whole, groups, count } = readsOf(connection, keys, log, bodies);
  const { commit, tidy } = commitsTo(keys, look, log, bodies);

  const explained = explainedBy('Deno KV');
  const { change, write, idle } = groupCommit(async (batch) => {
    try {
      return await explained('change', () => commit(batch));
    } catch (error) {
      // What may have been made must not be made again.
      if (!isFailure(error) || error.code !== 'storage-unknown') throw error;
      return rejectAll(batch, error);
    }
  }, tidy);
  return {
    name: `deno-kv:${name}`,
    durable: true,
    get: (key) => explained('get', async () => (await record(key))?.item),
    body: (key) => explained('body', async () => (await whole(key))?.body),
    range: (query) => explained('range', async () => (await range(query)).map(({ item }) => item)),
    rangeWithBodies: (query) =>
      explained('rangeWithBodies', async () => {
        const records = await range(query);
        const found = await Promise.all(records.map((record) => whole(record.item.key, record)));
        return found.filter((each) => each !== undefined);
      }),
    groups: (prefix, limit) => explained('groups', () => groups(prefix, limit)),
    count: (of) => explained('count', () => count(of)),
    write,
    change,
    async close() {
      await idle();
      await connection.close();
    },
  };
}

const nameRule = /* @__PURE__ */ rule<string>(
  'a string of at most 100 characters',
  (value) => typeof value === 'string' && value.length <= 100,
);

/** So many entries of a list are read at once. */
const PAGE = 500;

/** So many items are read at once by their names. */
const TOGETHER = 10;

interface Named {
  readonly name: Bytes;
  readonly record: DenoKvRecord;
}

function readsOf({ read, list }: KvConnection, keys: KvKeys, log: RedoLog, bodies: Bodies) {
  const look = async (wanted: readonly string[]): Promise<Look> => {
    const at = await Promise.all(wanted.map(keys.item));
    for (;;) {
      // The state is read first, so that a later change is noticed.
      const [state, ...first] = await read([keys.state, ...at.slice(0, TOGETHER - 1)]);
      if (!state || !(await log.isSettled(state))) continue;
      const found = [...first, ...(await read(at.slice(TOGETHER - 1)))].map(recordIn);
      return { stamp: state.versionstamp, records: new Map(wanted.map((key, n) => [key, found[n]])) };
    }
  };

  const record = async (key: string): Promise<DenoKvRecord | undefined> =>
    (await look([key])).records.get(key);

  /** Items of a list by their names, without those deleted since. */
  const named = async (names: readonly Bytes[], { by, name }: ListName): Promise<Named[]> => {
    const entries = await read(names.map((each) => [...keys.items, each]));
    return entries
      .map(recordIn)
      .flatMap((record, at) => (record?.item[by] === name ? [{ name: names[at] as Bytes, record }] : []));
  };

  async function* listed(query: RangeQuery): AsyncGenerator<Named> {
    const { prefix = '', after, limit = Infinity } = query;
    const listing = listingOf(query);
    const names = namesOf(prefix, after);
    const size = Math.min(limit, PAGE);
    if (!listing) {
      for await (const { name, value } of list(keys.items, names, size))
        yield { name, record: readRecord(value) };
      return;
    }
    let page: Bytes[] = [];
    for await (const { name } of list(await keys.members(listing), names, size)) {
      page.push(name);
      if (page.length < Math.min(limit, TOGETHER)) continue;
      yield* await named(page, listing);
      page = [];
    }
    yield* await named(page, listing);
  }

  return {
    look,
    record,

    /** Records in the order of their keys. */
    async range(query: RangeQuery): Promise<DenoKvRecord[]> {
      await look([]);
      const { prefix = '', after, limit = Infinity } = query;
      const found: DenoKvRecord[] = [];
      if (limit <= 0 || (after !== undefined && after > prefixEnd(prefix))) return found;
      for await (const record of inOrder(listed(query))) {
        const { key } = record.item;
        if (!key.startsWith(prefix) || (after !== undefined && key <= after)) continue;
        found.push(record);
        if (found.length >= limit) break;
      }
      return found;
    },

    /** An entry with its body; a body of which a part is missing is not there. */
    async whole(key: string, known?: DenoKvRecord): Promise<ItemWithBody | undefined> {
      for (let found = known ?? (await record(key)); found; ) {
        const { item, body } = found;
        const bytes = body && (await bodies.read(body));
        if (!body || bytes) return { ...item, body: bytes && decodeStoredBody({ bytes, kind: body.kind }) };
        // It may have been replaced in between.
        found = await record(key);
        if (found?.body?.id === body.id) return { ...item, body: undefined };
      }
      return undefined;
    },

    /** The different groups that begin with a prefix: jumps from one to the next. */
    async groups(prefix: string, limit = Infinity): Promise<string[]> {
      await look([]);
      const found: string[] = [];
      for (let { low, high } = namesOf(prefix); found.length < limit; ) {
        const { value: next } = await list(keys.groups, { low, high }, 1).next();
        if (!next) break;
        if (next.value.startsWith(prefix)) found.push(next.value);
        low = justAfter(next.name);
      }
      return found.sort();
    },

    async count(of: RangeQuery): Promise<number> {
      await look([]);
      let count = 0;
      for await (const _ of list(await keys.members(listingOf(of) as ListName), namesOf(''), PAGE)) count++;
      return count;
    },
  };
}

const recordIn = ({ value }: { readonly value: unknown }): DenoKvRecord | undefined =>
  value === null ? undefined : readRecord(value);

/** Names that are cut off are in the order of their digests where they begin alike. */
async function* inOrder(entries: AsyncIterable<Named>): AsyncGenerator<DenoKvRecord> {
  let alike: DenoKvRecord[] = [];
  let head = '';
  for await (const { name, record } of entries) {
    const next = name.length > HEAD ? name.subarray(0, HEAD).join() : '';
    if (next !== head) {
      yield* alike.sort(byKey);
      alike = [];
      head = next;
    }
    if (next === '') yield record;
    else alike.push(record);
  }
  yield* alike.sort(byKey);
}

const byKey = (a: DenoKvRecord, b: DenoKvRecord): number => (a.item.key < b.item.key ? -1 : 1);
