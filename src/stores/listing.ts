import type { explainedBy, Item, RangeQuery, Store } from '../core/store.ts';
import { decodeStoredBody, type EncodedBody } from './encoding.ts';

/** How a platform finds items; their bodies are read apart. */
export interface ListingReader<Kept extends { readonly item: Item }> {
  find(key: string): Promise<Kept | undefined>;
  /** Items with this key prefix, in any order, and perhaps more. */
  found(prefix: string): Promise<readonly Kept[]>;
  /** `undefined` also for one that has gone, is not whole, or is another writer's. */
  bodyOf(kept: Kept): Promise<EncodedBody | undefined>;
}

/** The reads of a store on a platform that lists in another order, or not by groups. */
export function readFromListing<Kept extends { readonly item: Item }>(
  explained: ReturnType<typeof explainedBy>,
  { find, found, bodyOf }: ListingReader<Kept>,
): Pick<Store, 'get' | 'body' | 'range' | 'rangeWithBodies'> {
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
    rangeWithBodies: (query, pick = (items) => items) =>
      explained('rangeWithBodies', async () => {
        const kept = new Map((await page(query)).map((each) => [each.item.key, each]));
        const items = pick([...kept.values()].map(({ item }) => item));
        return Promise.all(
          items.map(async (item) => ({ ...item, body: await readBody(kept.get(item.key)) })),
        );
      }),
  };
}
