import type { Change, Store } from '../core/store.ts';
import type { Bytes, Duration } from '../primitives/units.ts';
import { positiveDuration, readSettings, rule, withMethods } from '../primitives/validate.ts';
import { digestOf, type EncodedBody, readText, textOf } from './encoding.ts';
import { type KeptItem, keptAfter, keyValueStore, writeAll } from './key-value.ts';

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
 * @param cache `caches.default`, or a function that opens one, such as `() => caches.open('responses')`.
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

  const read = async (folder: string): Promise<readonly KeptItem[]> => {
    const response = await (await opened()).match(await placeOf(folder));
    return response ? readFolder(folder, await response.text()) : [];
  };

  const find = async (key: string): Promise<KeptItem | undefined> =>
    (await read(folderOf(key))).find(({ item }) => item.key === key);

  /** @returns `undefined` also for one that has gone, or is not whole. */
  const bodyOf = async ({ body }: KeptItem): Promise<EncodedBody | undefined> => {
    const response = body && (await (await opened()).match(bodyAt(body.id)));
    if (!response) return undefined;
    const bytes = new Uint8Array(await response.arrayBuffer());
    return bytes.length === body.size ? { bytes, kind: body.kind } : undefined;
  };

  const found = (prefix: string): Promise<readonly KeptItem[]> =>
    read(prefix.slice(0, prefix.lastIndexOf(' ') + 1));

  /** @returns writes it. */
  const prepared = async (folder: string, changes: readonly Change[]): Promise<() => Promise<void>> => {
    const before = await read(folder);
    const after = new Map(before.map((each) => [each.item.key, each]));
    const bodies: { readonly id: string; readonly bytes: Bytes }[] = [];
    for (const change of changes) {
      if ('delete' in change) {
        after.delete(change.delete);
        continue;
      }
      const { key } = change.put;
      const { kept, added } = await keptAfter(change, () => after.get(key));
      after.set(key, kept);
      if (added) bodies.push(added);
    }
    const kept = [...after.values()];
    const stay = new Set(kept.map(({ body }) => body?.id));
    const gone = before.flatMap(({ body }) => (body && !stay.has(body.id) ? [body.id] : []));
    const text = textOf({ schema: SCHEMA, folder, kept });
    const place = await placeOf(folder);
    return async () => {
      const to = await opened();
      const put = (at: string, content: string | Bytes): Promise<void> =>
        to.put(at, new Response(content, { headers }));
      // No item is there before its body is.
      await Promise.all(bodies.map(({ id, bytes }) => put(bodyAt(id), bytes)));
      if (kept.length > 0) await put(place, text);
      else if (before.length > 0) await to.delete(place);
      await Promise.all(gone.map((id) => to.delete(bodyAt(id))));
    };
  };

  const write = (changes: ReadonlyMap<string, Change>): Promise<void> => {
    const folders = new Map<string, Change[]>();
    for (const [key, change] of changes)
      folders.set(folderOf(key), [...(folders.get(folderOf(key)) ?? []), change]);
    return writeAll(folders, prepared);
  };

  return {
    name: `web-cache:${url}`,
    durable: true,
    ...keyValueStore('Cache API', { find, found, bodyOf, write }),
  };
}

const cacheRule = /* @__PURE__ */ withMethods<WebCache>(
  "a cache such as caches.default, or a function that opens one, such as () => caches.open('responses')",
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
  "a URL that ends with a slash, such as 'https://a.example/responses/'",
  (value) => typeof value === 'string' && /^https?:\/\/[^?#]+\/$/.test(value) && URL.canParse(value),
);

/** Records of another version are ignored. */
const SCHEMA = 1;

/** Keys that are equal up to their last space share a folder; a space at the very end does not count. */
const folderOf = (key: string): string => key.slice(0, key.lastIndexOf(' ', key.length - 2) + 1);

function readFolder(folder: string, text: string): readonly KeptItem[] {
  try {
    const read = readText(text) as { schema?: unknown; folder?: unknown; kept: KeptItem[] };
    return read.schema === SCHEMA && read.folder === folder ? read.kept : [];
  } catch {
    return [];
  }
}
