import type { Item, StoredBody } from '../../core/store.ts';

/** Items without their bodies, so that a page of them is small. */
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

/**
 * An item as it lies in the database: with its body where that is small, which spares a request to write it, one to read it
 * and one to delete it. `null`: it has none. Absent: its body lies apart, if it has one.
 */
export interface Stored extends Item {
  readonly body?: StoredBody | null;
}

/** So many characters or bytes are small: a page of items has to remain cheap to read. */
const SMALL = 4_096;

export const isSmall = (body: StoredBody): boolean =>
  typeof body === 'string' ? body.length <= SMALL : !(body instanceof Blob) && body.byteLength <= SMALL;

/** A view would be written with all of the buffer that it looks into. */
export const toOwnBuffer = (body: StoredBody): StoredBody =>
  body instanceof Uint8Array && body.byteLength < body.buffer.byteLength ? new Uint8Array(body) : body;

/** An item as it is returned without its body. */
export function withoutBody({ body: _, ...item }: Stored): Item {
  return item;
}

/** Whether a body may lie apart. @param stored `undefined`: there is nothing. */
export const hasExternalBody = (stored: Stored | undefined): boolean =>
  stored !== undefined && !('body' in stored);
