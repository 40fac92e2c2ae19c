import { promisifyRequest } from 'idb-keyval';
import type { Change, StoredBody } from '../../core/store.ts';
import { blobsOf } from '../batch.ts';
import type { IdbConnection } from './connection.ts';
import { BODIES } from './records.ts';

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
