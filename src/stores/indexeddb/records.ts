import type { Item, ListName, StoredBody } from '../../core/store.ts';

/** Items without their bodies, so that a page of them is small. */
export const ITEMS = 'items';
export const BODIES = 'bodies';
export const indexBy = (by: ListName['by']): string => `by-${by}`;

/** Of this layout. A page that finds a newer one refuses it and leaves it as it is. */
export const VERSION = 1;

export function createStores(database: IDBDatabase): void {
  const items = database.createObjectStore(ITEMS, { keyPath: 'key' });
  for (const by of ['group', 'collection'] as const) items.createIndex(indexBy(by), [by, 'key']);
  database.createObjectStore(BODIES);
}

/**
 * An item as it lies in the database: with its body where that is small, which spares a request to write it, one to read it
 * and one to delete it. `null`: it has none. Absent: its body lies apart, if it has one.
 */
export interface Stored extends Item {
  readonly body?: StoredBody | null;
}

/** A body as it lies apart. */
export type StoredApart = StoredBody | UnpackedBlob;

/** A blob where blobs cannot be stored. */
export interface UnpackedBlob {
  readonly type: string;
  readonly bytes: ArrayBuffer;
}

/** An item as it is returned without its body. */
export function withoutBody({ body: _, ...item }: Stored): Item {
  return item;
}

/** A body as it was given: from within the item, or from apart. */
export function storedBody(
  stored: Stored | undefined,
  apart: StoredApart | undefined,
): StoredBody | undefined {
  const body = stored && 'body' in stored ? stored.body : apart;
  return typeof body === 'object' && body && 'bytes' in body && body.bytes instanceof ArrayBuffer
    ? new Blob([body.bytes], { type: body.type })
    : ((body ?? undefined) as StoredBody | undefined);
}
