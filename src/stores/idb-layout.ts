/** Items, without their bodies, so that a page of them can be read without reading what they carry. */
export const ITEMS = 'items';
export const BODIES = 'bodies';
export const BY_GROUP = 'by-group';
export const BY_COLLECTION = 'by-collection';

/** Of this layout. A page that finds a newer one refuses it and leaves it as it is. */
export const VERSION = 1;

export function createStores(database: IDBDatabase): void {
  const items = database.createObjectStore(ITEMS, { keyPath: 'key' });
  items.createIndex(BY_GROUP, ['group', 'key']);
  items.createIndex(BY_COLLECTION, ['collection', 'key']);
  database.createObjectStore(BODIES);
}
