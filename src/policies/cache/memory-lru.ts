import { type Held, placeOf } from './entry.ts';

/** What a copy takes in memory besides its body, in bytes, by estimate. */
const rowSize = ({ copy }: Held): number =>
  copy.headers.reduce((sum, [name, value]) => sum + 2 * (name.length + value.length), 500);

interface Spot {
  readonly held: readonly Held[];
  /** By the key of the copy. */
  readonly bodies: Map<string, Uint8Array<ArrayBuffer>>;
  bytes: number;
}

/** The variants of the URLs that were used last, and their bodies, in memory before the store. */
export class Hot {
  readonly #limit: number;
  /** By place; what was used last comes last. */
  readonly #spots = new Map<string, Spot>();
  /** The place of a copy, by its key. */
  readonly #places = new Map<string, string>();
  #bytes = 0;

  /** @param limit In bytes; 0 keeps nothing. */
  constructor(limit: number) {
    this.#limit = limit;
  }

  held(place: string): readonly Held[] | undefined {
    const spot = this.#spots.get(place);
    if (!spot) return undefined;
    this.#spots.delete(place);
    this.#spots.set(place, spot);
    return spot.held;
  }

  body(place: string, key: string): Uint8Array<ArrayBuffer> | undefined {
    return this.#spots.get(place)?.bodies.get(key);
  }

  put(place: string, held: readonly Held[]): void {
    this.#drop(place);
    if (!this.#limit || held.length === 0) return;
    this.#spots.set(place, { held, bodies: new Map(), bytes: 0 });
    for (const { key } of held) this.#places.set(key, place);
    const rows = held.reduce((sum, each) => sum + rowSize(each), 0);
    this.#grow(place, rows);
  }

  putBody(place: string, key: string, body: Uint8Array<ArrayBuffer>): void {
    const spot = this.#spots.get(place);
    // One body is not to push all others out.
    if (!spot || spot.bodies.has(key) || body.byteLength > this.#limit / 4) return;
    spot.bodies.set(key, body);
    this.#grow(place, body.byteLength);
  }

  /** Drops the URLs of copies that have gone. */
  dropKeys(keys: readonly string[]): void {
    for (const key of keys) this.#drop(this.#places.get(key) ?? '');
  }

  /** Drops a URL, or all that lies in a place. */
  drop(partition?: string, url?: string): void {
    const place = placeOf(partition, url);
    if (url !== undefined) this.#drop(place);
    else for (const each of [...this.#spots.keys()]) if (each.startsWith(place)) this.#drop(each);
  }

  #drop(place: string): void {
    const spot = this.#spots.get(place);
    if (!spot) return;
    for (const { key } of spot.held) this.#places.delete(key);
    this.#bytes -= spot.bytes;
    this.#spots.delete(place);
  }

  #grow(place: string, bytes: number): void {
    (this.#spots.get(place) as Spot).bytes += bytes;
    this.#bytes += bytes;
    for (const oldest of this.#spots.keys()) {
      if (this.#bytes <= this.#limit) break;
      this.#drop(oldest);
    }
  }
}
