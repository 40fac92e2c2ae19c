import { type AtomicStore, explainedBy } from '../../core/store.ts';
import { readSettings, rule } from '../../primitives/validate.ts';
import { Bodies } from './bodies.ts';
import { Commits } from './commit.ts';
import { type DenoKv, KvConnection } from './connection.ts';
import { KvKeys } from './layout.ts';
import { Reads } from './reads.ts';
import { RedoLog } from './redo-log.ts';

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
 *   whole write; code `storage-newer` if a newer version of the program has written the entries.
 *
 * @example
 * const queue = outbox({ store: denoKvStore(() => Deno.openKv()) });
 * const fetch = createFetch({ partition: 'public', outbox: queue });
 */
export function denoKvStore(
  kv: DenoKv | (() => Promise<DenoKv>),
  options: DenoKvStoreOptions = {},
): AtomicStore {
  const connection = new KvConnection(kv, 'denoKvStore.kv');
  const { name } = readSettings('denoKvStore', { name: ['holdfast', nameRule] }, options);
  const places = new KvKeys(name);
  const bodies = new Bodies(connection, places);
  const jobs = new RedoLog(connection, places, bodies);
  const reads = new Reads(connection, places, jobs, bodies);
  const commits = new Commits(places, reads, jobs, bodies);

  const explained = explainedBy('Deno KV');
  return {
    name: `deno-kv:${name}`,
    durable: true,
    get: (key) => explained('get', async () => (await reads.record(key))?.item),
    body: (key) => explained('body', async () => (await reads.whole(key))?.body),
    range: (query) => explained('range', async () => (await reads.range(query)).map(({ item }) => item)),
    rangeWithBodies: (query, pick = (found) => found) =>
      explained('rangeWithBodies', async () => {
        const records = new Map((await reads.range(query)).map((record) => [record.item.key, record]));
        const items = pick([...records.values()].map(({ item }) => item));
        const rangeWithBodies = await Promise.all(items.map(({ key }) => reads.whole(key, records.get(key))));
        return rangeWithBodies.filter((whole) => whole !== undefined);
      }),
    groups: (prefix, limit) => explained('groups', () => reads.groups(prefix, limit)),
    count: (of) => explained('count', () => reads.count(of)),
    write: (changes) => commits.change([], () => ({ changes, result: undefined })),
    change: (keys, decide) => commits.change(keys, decide),
    async close() {
      await commits.idle();
      await connection.close();
    },
  };
}

const nameRule = /* @__PURE__ */ rule<string>(
  'a string of at most 100 characters',
  (value) => typeof value === 'string' && value.length <= 100,
);
