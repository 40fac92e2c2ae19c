import { promisifyRequest } from 'idb-keyval';
import type { Change, Item, StoredBody } from '../../core/store.ts';
import { blobsOf } from '../batch.ts';
import type { IdbConnection } from './connection.ts';

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

/** A blob where blobs cannot be stored. */
interface Unpacked {
  readonly type: string;
  readonly bytes: ArrayBuffer;
}

const PROBE = 'can blobs be stored?';

/**
 * Blobs stay blobs, but in private windows of WebKit, which cannot store them: there they are kept as bytes. It has to
 * be known beforehand, because a transaction that fails of it, and has done something else before, never ends.
 */
export class Blobs {
  readonly #connection: IdbConnection;
  readonly #unpacked = new WeakMap<Blob, Unpacked>();
  #storable: boolean | undefined;

  constructor(connection: IdbConnection) {
    this.#connection = connection;
  }

  /** Whether these changes can be written just now. */
  ready(changes: Iterable<Change>): boolean {
    return this.#storable === true || blobsOf(changes).every((blob) => this.#unpacked.has(blob));
  }

  /** Makes them so. */
  async prepare(changes: Iterable<Change>): Promise<void> {
    this.#storable ??= await this.#probe();
    if (this.#storable) return;
    for (const blob of blobsOf(changes))
      this.#unpacked.set(blob, { type: blob.type, bytes: await blob.arrayBuffer() });
  }

  /** A body as it is written. */
  encoded(body: StoredBody): StoredBody | Unpacked {
    return (body instanceof Blob && this.#unpacked.get(body)) || body;
  }

  async #probe(): Promise<boolean> {
    try {
      await this.#connection.transaction([BODIES], 'readwrite', 'relaxed', (transaction) => {
        transaction.objectStore(BODIES).put(new Blob(['?']), PROBE);
        return promisifyRequest(transaction);
      });
      await this.#connection.transaction([BODIES], 'readwrite', 'relaxed', (transaction) => {
        transaction.objectStore(BODIES).delete(PROBE);
        return promisifyRequest(transaction);
      });
      return true;
    } catch {
      return false;
    }
  }
}

/** A body as it was given. */
export const unpacked = (stored: StoredBody | Unpacked | null | undefined): StoredBody | undefined =>
  typeof stored === 'object' && stored && 'bytes' in stored && stored.bytes instanceof ArrayBuffer
    ? new Blob([stored.bytes], { type: stored.type })
    : ((stored ?? undefined) as StoredBody | undefined);
