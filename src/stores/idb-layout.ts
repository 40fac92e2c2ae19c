export const VERSION = 1;

/** Items, without their bodies, so that a page of them can be read without reading what they carry. */
export const ITEMS = 'items';
export const BODIES = 'bodies';
export const BY_GROUP = 'by-group';

export function createLayout(database: IDBDatabase): void {
  database.createObjectStore(ITEMS, { keyPath: 'key' }).createIndex(BY_GROUP, ['group', 'key']);
  database.createObjectStore(BODIES);
}
