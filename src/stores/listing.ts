import type { Item, RangeQuery, Store } from '../core/store.ts';
import { decodeStoredBody, type EncodedBody } from './bytes.ts';
import type { explainedBy } from './wrap-storage-errors.ts';

/** A page of items, for platforms that list in another order, or not by groups. */
export function page<I extends Item>(items: readonly I[], query: RangeQuery): I[] {
  const { prefix = '', after, group, collection, limit } = query;
  return items
    .filter(
      (item) =>
        item.key.startsWith(prefix) &&
        (after === undefined || item.key > after) &&
        (group === undefined || item.group === group) &&
        (collection === undefined || item.collection === collection),
    )
    .sort((a, b) => (a.key < b.key ? -1 : 1))
    .slice(0, limit);
}

/** How a platform finds what is kept: an item with a note of its body, which is read by itself. */
export interface ListingReader<Kept extends { readonly item: Item }> {
  find(key: string): Promise<Kept | undefined>;
  /** In the order of their keys. */
  found(query: RangeQuery): Promise<Kept[]>;
  /** `undefined` also for one that has gone, is not whole, or is another writer's. */
  bodyOf(kept: Kept): Promise<EncodedBody | undefined>;
}

/** The reads of a store over that. */
export function readFromListing<Kept extends { readonly item: Item }>(
  explained: ReturnType<typeof explainedBy>,
  { find, found, bodyOf }: ListingReader<Kept>,
): Pick<Store, 'get' | 'body' | 'range' | 'rangeWithBodies'> {
  return {
    get: (key) => explained('get', async () => (await find(key))?.item),
    body: (key) =>
      explained('body', async () => {
        const kept = await find(key);
        const body = kept && (await bodyOf(kept));
        return body && decodeStoredBody(body);
      }),
    range: (query) => explained('range', async () => (await found(query)).map(({ item }) => item)),
    rangeWithBodies: (query, pick = (items) => items) =>
      explained('rangeWithBodies', async () => {
        const kept = new Map((await found(query)).map((each) => [each.item.key, each]));
        const items = pick([...kept.values()].map(({ item }) => item));
        const bodies = await Promise.all(items.map(({ key }) => bodyOf(kept.get(key) as Kept)));
        return items.map((item, at) => ({ ...item, body: bodies[at] && decodeStoredBody(bodies[at]) }));
      }),
  };
}
