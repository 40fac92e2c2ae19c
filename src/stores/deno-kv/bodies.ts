import type { Bytes } from '../../primitives/units.ts';
import { joined, pieces } from '../encoding.ts';
import type { KvConnection } from './connection.ts';
import { type KvKeys, namesOf, PART, type Parts } from './layout.ts';

/** So many parts are written at once; together they have 800 kB at the most. */
const TOGETHER = 12;

/** How long after its last write a writer of parts counts as dead, in ms. */
const WRITING = 600_000;

/** Parts that are written and belong to no entry yet. */
export interface Uploaded extends Parts {
  /** Of the note that says so. */
  readonly stamp: string;
}

/** Bodies too large for one value. Their parts are written, and noted, before the entry is. */
export class Bodies {
  readonly #connection: KvConnection;
  readonly #places: KvKeys;

  constructor(connection: KvConnection, places: KvKeys) {
    this.#connection = connection;
    this.#places = places;
  }

  async upload(bytes: Bytes): Promise<Uploaded> {
    const id = crypto.randomUUID();
    const parts = pieces(bytes, PART);
    const note: Parts = { id, count: parts.length, size: bytes.length };
    const stamp = await this.#connection.commit((atomic) =>
      atomic.set(this.#places.looseOf(id), note).set(this.#places.writing(id), true, { expireIn: WRITING }),
    );
    for (let at = 0; at < parts.length; at += TOGETHER)
      await this.#connection.commit((atomic) =>
        parts
          .slice(at, at + TOGETHER)
          .reduce((all, part, n) => all.set(this.#places.part(id, at + n), part), atomic),
      );
    return { ...note, stamp: stamp as string };
  }

  /** @returns `undefined` where it is not whole. */
  async read({ id, count, size }: Parts): Promise<Bytes | undefined> {
    const keys = Array.from({ length: count }, (_, at) => this.#places.part(id, at));
    const parts = (await this.#connection.read(keys)).map(({ value }) => value);
    if (!parts.every((part) => part instanceof Uint8Array)) return undefined;
    const bytes = joined(parts);
    return bytes.length === size ? bytes : undefined;
  }

  /** Whether the uploaded parts still exist. */
  async has({ id, stamp }: Uploaded): Promise<boolean> {
    const [note] = await this.#connection.read([this.#places.looseOf(id)]);
    return note?.versionstamp === stamp;
  }

  /** Removes parts that belong to no entry. */
  async remove({ id, count }: Parts): Promise<void> {
    for (let at = 0; at < count; at += PAGE)
      await this.#connection.commit((atomic) =>
        Array.from({ length: Math.min(PAGE, count - at) }).reduce<typeof atomic>(
          (all, _, n) => all.delete(this.#places.part(id, at + n)),
          atomic,
        ),
      );
    await this.#connection.commit((atomic) =>
      atomic.delete(this.#places.writing(id)).delete(this.#places.looseOf(id)),
    );
  }

  /** Removes parts without an entry, unless another writer uses them by now. @param stamp Of their note. */
  async removeLoose({ id, count, size }: Parts, stamp: string): Promise<void> {
    const key = this.#places.looseOf(id);
    // A writer that still wants to use them finds another note.
    const isOurs = await this.#connection.commit((atomic) =>
      atomic.check({ key, versionstamp: stamp }).set(key, { id, count, size }),
    );
    if (isOurs) await this.remove({ id, count, size });
  }

  /** Removes the parts left behind by killed processes. */
  async sweep(): Promise<void> {
    for await (const { value, stamp } of this.#connection.list(this.#places.loose, namesOf(''), PAGE)) {
      const parts = value as Parts;
      const [writing] = await this.#connection.read([this.#places.writing(parts.id)]);
      if (!writing?.versionstamp) await this.removeLoose(parts, stamp);
    }
  }
}

/** So many parts are removed at once. */
const PAGE = 500;
