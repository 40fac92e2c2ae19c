import type { Item, RangeQuery } from '../core/store.ts';

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
