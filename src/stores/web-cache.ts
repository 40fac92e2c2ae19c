import { type Change, explainedBy, type Item, type Store } from '../core/store.ts';
import type { Duration } from '../primitives/units.ts';
import { positiveDuration, readSettings, rule, withMethods } from '../primitives/validate.ts';
import { collapseChanges } from './batch.ts';
import { digestOf, type EncodedBody, encodeStoredBody, type Kind, readText, textOf } from './encoding.ts';
import { readFromListing } from './listing.ts';

/** The used part of a `Cache`. */
export interface WebCache {
  match(url: string): Promise<Response | undefined>;
  put(url: string, response: Response): Promise<void>;
  delete(url: string): Promise<boolean>;
}

export interface WebCacheStoreOptions {
  /**
   * The begin of the URLs of records, which are never fetched; it ends with a slash. Stores of one URL share
   * their entries. In Workers its host should be one of theirs. Default `'https://holdfast.invalid/'`.
   */
  readonly url?: string;
  /**
   * How long the platform may keep a record. Default 1 d; with more, cleared responses may come back if
   * the platform has dropped their tombstone.
   */
  readonly expiresAfter?: Duration;
}

/**
 * Keeps entries in the Cache API, for a cache. In Workers that is the cache of one data centre, which may drop anything at
 * any time.
 *
 * Workers cannot list it. So the store finds the items of one folder only (keys that are equal up to their last space),
 * such as the cached responses of a URL: `range` and `rangeWithBodies` read the folder of their prefix, and no folder in it.
 *
 * @param cache `caches.default`, or a function that opens one, such as `() => caches.open('copies')`.
 * @throws {StorageError} from each operation that failed.
 *
 * @example
 * const fetch = createFetch({
 *   partition: 'public',
 *   staleCache: staleCache({ store: webCacheStore(() => caches.open('api')) }),
 * });
 */
export function webCacheStore(
  cache: WebCache | (() => Promise<WebCache>),
  options: WebCacheStoreOptions = {},
): Store {
  const opened = openerOf(cache);
  const { url, expiresAfter } = readSettings(
    'webCacheStore',
    { url: ['https://holdfast.invalid/', baseRule], expiresAfter: [86_400_000, positiveDuration] },
    options,
  );
  // For the platform alone: the origin's own headers stand in the item.
  const headers = { 'cache-control': `public, max-age=${Math.ceil(expiresAfter / 1000)}` };
  const placeOf = async (folder: string): Promise<string> => `${url}folders/${await digestOf(folder)}`;
  const bodyAt = (id: string): string => `${url}bodies/${id}`;

  const read = async (folder: string): Promise<readonly Kept[]> => {
    const response = await (await opened()).match(await placeOf(folder));
    return response ? readFolder(folder, await response.text()) : [];
  };

  const find = async (key: string): Promise<Kept | undefined> =>
    (await read(folderOf(key))).find(({ item }) => item.key === key);

  /** @returns `undefined` also for one that has gone, or is not whole. */
  const bodyOf = async ({ body }: Kept): Promise<EncodedBody | undefined> => {
    const response = body && (await (await opened()).match(bodyAt(body.id)));
    if (!response) return undefined;
    const bytes = new Uint8Array(await response.arrayBuffer());
    return bytes.length === body.size ? { bytes, kind: body.kind } : undefined;
  };

  const found = (prefix: string): Promise<readonly Kept[]> =>
    read(prefix.slice(0, prefix.lastIndexOf(' ') + 1));

  /** @returns writes it. */
  const prepared = async (folder: string, changes: readonly Change[]): Promise<() => Promise<void>> => {
    const before = await read(folder);
    const { kept, bodies, gone } = await changed(before, changes);
    const text = textOf({ schema: SCHEMA, folder, kept });
    const place = await placeOf(folder);
    return async () => {
      const to = await opened();
      const put = (at: string, content: string | Uint8Array<ArrayBuffer>): Promise<void> =>
        to.put(at, new Response(content, { headers }));
      // No item is there before its body is.
      await Promise.all(bodies.map(([id, { bytes }]) => put(bodyAt(id), bytes)));
      if (kept.length > 0) await put(place, text);
      else if (before.length > 0) await to.delete(place);
      await Promise.all(gone.map((id) => to.delete(bodyAt(id))));
    };
  };

  const write = async (changes: readonly Change[]): Promise<void> => {
    const folders = new Map<string, Change[]>();
    for (const [key, change] of collapseChanges(changes))
      folders.set(folderOf(key), [...(folders.get(folderOf(key)) ?? []), change]);
    // Everything is made ready before anything is written.
    const ready = await Promise.all([...folders].map(([folder, inside]) => prepared(folder, inside)));
    await Promise.all(ready.map((put) => put()));
  };

  const explained = explainedBy('Cache API');
  return {
    name: `web-cache:${url}`,
    durable: false,
    ...readFromListing(explained, { find, found, bodyOf }),
    write: (changes) => explained('write', () => write(changes)),
    async close() {},
  };
}

const cacheRule = withMethods<WebCache>(
  "a cache such as caches.default, or a function that opens one, such as () => caches.open('copies')",
  'match',
  'put',
  'delete',
);

/** Each call opens for itself until one has succeeded: if I/O belongs to one request, calls cannot share the wait. */
function openerOf(given: WebCache | (() => Promise<WebCache>)): () => Promise<WebCache> {
  let known = typeof given === 'function' ? undefined : cacheRule(given, 'webCacheStore.cache');
  return async () => {
    known ??= cacheRule(await (given as () => Promise<WebCache>)(), 'webCacheStore.cache');
    return known;
  };
}

const baseRule = /* @__PURE__ */ rule<string>(
  "a URL that ends with a slash, such as 'https://a.example/copies/'",
  (value) => typeof value === 'string' && /^https?:\/\/[^?#]+\/$/.test(value) && URL.canParse(value),
);

/** An item, and where its body is. */
interface Kept {
  readonly item: Item;
  readonly body?: { readonly id: string; readonly kind: Kind; readonly size: number } | undefined;
}

/** Records of another version are ignored. */
const SCHEMA = 1;

/** Keys that are equal up to their last space share a folder; a space at the very end does not count. */
const folderOf = (key: string): string => key.slice(0, key.lastIndexOf(' ', key.length - 2) + 1);

function readFolder(folder: string, text: string): readonly Kept[] {
  try {
    const read = readText(text) as { schema?: unknown; folder?: unknown; kept: Kept[] };
    return read.schema === SCHEMA && read.folder === folder ? read.kept : [];
  } catch {
    return [];
  }
}

/** A folder after changes. @returns also its new bodies by id, and the ids of orphaned ones. */
async function changed(before: readonly Kept[], changes: readonly Change[]) {
  const kept = new Map(before.map((each) => [each.item.key, each]));
  const bodies: [string, EncodedBody][] = [];
  for (const change of changes) {
    if ('delete' in change) {
      kept.delete(change.delete);
      continue;
    }
    const { put: item, body } = change;
    if (body === null || body === undefined) {
      const old = body === undefined && kept.get(item.key)?.body;
      kept.set(item.key, { item, ...(old && { body: old }) });
      continue;
    }
    const encoded = await encodeStoredBody(body);
    const id = crypto.randomUUID();
    bodies.push([id, encoded]);
    kept.set(item.key, { item, body: { id, kind: encoded.kind, size: encoded.bytes.length } });
  }
  const stay = new Set([...kept.values()].map(({ body }) => body?.id));
  const gone = before.flatMap(({ body }) => (body && !stay.has(body.id) ? [body.id] : []));
  return { kept: [...kept.values()], bodies, gone };
}
