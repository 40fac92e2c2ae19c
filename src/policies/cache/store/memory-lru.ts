import { type CachedResponse, keyPrefix } from './entry.ts';

/** The memory of a cached response, in bytes, by estimate. */
const sizeOf = ({ response, body }: CachedResponse): number =>
  response.headers.reduce((sum, [name, value]) => sum + 2 * (name.length + value.length), 500) +
  (body instanceof Uint8Array ? body.byteLength : 0);

interface Slot {
  readonly variants: readonly CachedResponse[];
  readonly bytes: number;
}

/** The variants of the least recently used URLs, with small bodies, in memory before the store. */
export class MemoryLru {
  readonly #limit: number;
  /** By key prefix; the most recently used comes last. */
  readonly #slots = new Map<string, Slot>();
  #bytes = 0;

  /** @param limit In bytes; 0 keeps nothing. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  get(place: string): readonly CachedResponse[] | undefined {
    const slot = this.#slots.get(place);
    if (!slot) return undefined;
    this.#slots.delete(place);
    this.#slots.set(place, slot);
    return slot.variants;
  }

  put(place: string, found: readonly CachedResponse[]): void {
    this.#remove(place);
    if (!this.#limit || found.length === 0) return;
    const variants = found.map((each) => (this.#takes(each) ? each : { ...each, body: undefined }));
    const bytes = variants.reduce((sum, each) => sum + sizeOf(each), 0);
    this.#slots.set(place, { variants, bytes });
    this.#bytes += bytes;
    for (const oldest of this.#slots.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.#remove(oldest);
    }
  }

  /** Drops a URL, a partition, or everything. */
  drop(partition?: string, url?: string): void {
    const place = keyPrefix(partition, url);
    if (url !== undefined) this.#remove(place);
    else for (const each of [...this.#slots.keys()]) if (each.startsWith(place)) this.#remove(each);
  }

  /** Drops the URLs of deleted responses. */
  dropKeys(keys: readonly string[]): void {
    const gone = new Set(keys);
    for (const [place, { variants }] of [...this.#slots])
      if (variants.some(({ key }) => gone.has(key))) this.#remove(place);
  }

  /** One body must not evict all others. */
  #takes({ body }: CachedResponse): boolean {
    return body instanceof Uint8Array && body.byteLength <= this.#limit / 4;
  }

  #remove(place: string): void {
    this.#bytes -= this.#slots.get(place)?.bytes ?? 0;
    this.#slots.delete(place);
  }
}
