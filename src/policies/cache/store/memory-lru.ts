import { type CachedResponse, keyPrefix } from './entry.ts';

/** The memory of a cached response without its body, in bytes, by estimate. */
const rowSize = ({ response: copy }: CachedResponse): number =>
  copy.headers.reduce((sum, [name, value]) => sum + 2 * (name.length + value.length), 500);

interface Slot {
  readonly cached: readonly CachedResponse[];
  /** By the key of the cached response. */
  readonly bodies: Map<string, Uint8Array<ArrayBuffer>>;
  bytes: number;
}

/** The variants of the least recently used URLs, with bodies, in memory before the store. */
export class MemoryLru {
  readonly #limit: number;
  /** By key prefix; the most recently used comes last. */
  readonly #slots = new Map<string, Slot>();
  /** The key prefix of a cached response, by its key. */
  readonly #prefixes = new Map<string, string>();
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
    return slot.cached;
  }

  body(place: string, key: string): Uint8Array<ArrayBuffer> | undefined {
    return this.#slots.get(place)?.bodies.get(key);
  }

  put(place: string, cached: readonly CachedResponse[]): void {
    this.#drop(place);
    if (!this.#limit || cached.length === 0) return;
    this.#slots.set(place, { cached, bodies: new Map(), bytes: 0 });
    for (const { key } of cached) this.#prefixes.set(key, place);
    const rows = cached.reduce((sum, each) => sum + rowSize(each), 0);
    this.#grow(place, rows);
  }

  putBody(place: string, key: string, body: Uint8Array<ArrayBuffer>): void {
    const slot = this.#slots.get(place);
    // One body must not evict all others.
    if (!slot || slot.bodies.has(key) || body.byteLength > this.#limit / 4) return;
    slot.bodies.set(key, body);
    this.#grow(place, body.byteLength);
  }

  /** Drops the URLs of deleted responses. */
  dropKeys(keys: readonly string[]): void {
    for (const key of keys) this.#drop(this.#prefixes.get(key) ?? '');
  }

  /** Drops a URL, a partition, or everything. */
  drop(partition?: string, url?: string): void {
    const place = keyPrefix(partition, url);
    if (url !== undefined) this.#drop(place);
    else for (const each of [...this.#slots.keys()]) if (each.startsWith(place)) this.#drop(each);
  }

  #drop(place: string): void {
    const slot = this.#slots.get(place);
    if (!slot) return;
    for (const { key } of slot.cached) this.#prefixes.delete(key);
    this.#bytes -= slot.bytes;
    this.#slots.delete(place);
  }

  #grow(place: string, bytes: number): void {
    (this.#slots.get(place) as Slot).bytes += bytes;
    this.#bytes += bytes;
    for (const oldest of this.#slots.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.#drop(oldest);
    }
  }
}
