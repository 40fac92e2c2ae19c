import { type Change, explainedBy, type Item, type RangeQuery, type Store } from '../core/store.ts';
import type { Bytes } from '../primitives/units.ts';
import { decodeStoredBody, type EncodedBody, encodeStoredBody, type Kind } from './encoding.ts';
import { collapseChanges } from './group-commit.ts';

/** How a platform without transactions finds and writes items; their bodies are read apart. */
export interface KeyValues<Kept extends { readonly item: Item }> {
  find(key: string): Promise<Kept | undefined>;
  /** Items with this key prefix, in any order, and perhaps more. */
  found(prefix: string): Promise<readonly Kept[]>;
  /** `undefined` also for one that has gone, is not whole, or is another writer's. */
  bodyOf(kept: Kept): Promise<EncodedBody | undefined>;
  /** @param changes One for each key. */
  write(changes: ReadonlyMap<string, Change>): Promise<void>;
}

/** The methods of a store on a platform that lists in another order, or not by groups. */
export function keyValueStore<Kept extends { readonly item: Item }>(
  platform: string,
  { find, found, bodyOf, write }: KeyValues<Kept>,
): Omit<Store, 'name' | 'durable'> {
  const explained = explainedBy(platform);
  const page = async ({ prefix = '', after = '', group, collection, limit }: RangeQuery): Promise<Kept[]> =>
    (await found(prefix))
      .filter(
        ({ item }) =>
          item.key.startsWith(prefix) &&
          (after === '' || item.key > after) &&
          (group === undefined || item.group === group) &&
          (collection === undefined || item.collection === collection),
      )
      .sort((a, b) => (a.item.key < b.item.key ? -1 : 1))
      .slice(0, limit);
  const readBody = async (kept: Kept | undefined) => {
    const body = kept && (await bodyOf(kept));
    return body && decodeStoredBody(body);
  };
  return {
    get: (key) => explained('get', async () => (await find(key))?.item),
    body: (key) => explained('body', async () => readBody(await find(key))),
    range: (query) => explained('range', async () => (await page(query)).map(({ item }) => item)),
    rangeWithBodies: (query) =>
      explained('rangeWithBodies', async () => {
        const kept = await page(query);
        return Promise.all(kept.map(async (each) => ({ ...each.item, body: await readBody(each) })));
      }),
    write: (changes) => explained('write', () => write(collapseChanges(changes))),
    async close() {},
  };
}

/** An item, and which body is its own. */
export interface KeptItem {
  readonly item: Item;
  readonly body?: { readonly id: string; readonly kind: Kind; readonly size: number } | undefined;
}

/** @returns what a put leaves, and the body that is to be written before it. */
export async function keptAfter(
  { put: item, body }: Extract<Change, { put: Item }>,
  before: () => KeptItem | undefined | Promise<KeptItem | undefined>,
): Promise<{ kept: KeptItem; added?: { id: string; bytes: Bytes } }> {
  if (body === null || body === undefined) {
    const stays = body === undefined && (await before())?.body;
    return { kept: { item, ...(stays && { body: stays }) } };
  }
  const { kind, bytes } = await encodeStoredBody(body);
  const id = crypto.randomUUID();
  return { kept: { item, body: { id, kind, size: bytes.length } }, added: { id, bytes } };
}

/**
 * Prepares all writes before the first one; a rejected one does not stop the others.
 *
 * @throws the error of the first rejected write.
 */
export async function writeAll<T>(
  parts: ReadonlyMap<string, T>,
  prepared: (name: string, part: T) => Promise<() => Promise<void>>,
): Promise<void> {
  const ready = await Promise.all([...parts].map(([name, part]) => prepared(name, part)));
  for (const outcome of await Promise.allSettled(ready.map((write) => write())))
    if (outcome.status === 'rejected') throw outcome.reason;
}
