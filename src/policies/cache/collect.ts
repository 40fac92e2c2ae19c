import { concat } from '../../core/body.ts';
import type { StoredBody } from '../../core/store.ts';

/** Pieces of this size are given to the platform, which keeps them outside the page's memory where it can. */
const PIECE = 262_144;

/** What is smaller is read and written faster as bytes; from about 64 KiB on engines make a blob of it themselves. */
const SMALL = 60_000;

/** Gathers a body as it is read: a small one as bytes, a large one as a blob, which is not in memory once more. */
export class Collector {
  readonly #limit: number;
  readonly #pieces: Blob[] = [];
  #chunks: Uint8Array<ArrayBuffer>[] = [];
  #pending = 0;
  #size = 0;

  /** @param limit In bytes; what is larger is let go of. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#size;
  }

  get isTooLarge(): boolean {
    return this.#size > this.#limit;
  }

  add(bytes: Uint8Array): void {
    this.#size += bytes.byteLength;
    if (this.isTooLarge) {
      this.#letGo();
      return;
    }
    // A copy: what the reader gets is the reader's, and a stream of bytes takes the memory away.
    this.#chunks.push(new Uint8Array(bytes));
    this.#pending += bytes.byteLength;
    if (this.#pending >= PIECE) this.#pack();
  }

  whole(): StoredBody {
    if (this.#size < SMALL) return concat(this.#chunks, this.#size);
    this.#pack();
    return new Blob(this.#pieces);
  }

  #pack(): void {
    this.#pieces.push(new Blob(this.#chunks));
    this.#chunks = [];
    this.#pending = 0;
  }

  #letGo(): void {
    this.#pieces.length = 0;
    this.#chunks = [];
    this.#pending = 0;
  }
}
