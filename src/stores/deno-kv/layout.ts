import { StorageError } from '../../core/errors.ts';
import type { Item, ListName } from '../../core/store.ts';
import type { Bytes } from '../../primitives/units.ts';
import { joined, jsonBytes, type Kind, orderedBytes, pieces, readJsonBytes } from '../encoding.ts';
import { chunks, justAfter, type Key, type KvConnection } from './connection.ts';

/** Bytes in parts, as a value has 64 KiB at the most. */
export interface Parts {
  readonly id: string;
  readonly count: number;
  readonly size: number;
}

/** The record of an entry, without its body. */
export interface DenoKvRecord {
  readonly item: Item;
  readonly body?: (Parts & { readonly kind: Kind }) | undefined;
}

/** Bytes of a part, and of an entry without its body. */
export const PART = 64_000;

/** The most bytes of one text in a key; a key has 2,048. */
const LONGEST = 800;

/** A longer text is cut to so many bytes, followed by a digest of all of it. */
export const HEAD = LONGEST - 33;

/** No text has this byte. */
const LAST = 0xff;

export type KvKeys = ReturnType<typeof kvKeys>;

/** Where everything of a store lies. */
export function kvKeys(name: string) {
  const at = (...parts: Key): Key => [name, ...parts];
  return {
    /** Changes with every change. */
    state: at('state'),
    /** Prefix of the items. */
    items: at('item'),
    item: async (key: string): Promise<Key> => at('item', await hashedName(key)),
    /** Prefix of the names of groups. */
    groups: at('group'),
    /** Prefix of the names of the items in one. */
    members: async ({ by, name }: ListName): Promise<Key> => at(by, await hashedName(name)),
    part: (id: string, part: number): Key => at('body', id, part),
    /** Prefix of the parts that belong to no entry: not yet, or not any more. */
    loose: at('loose'),
    looseOf: (id: string): Key => at('loose', orderedBytes(id)),
    /** Present as long as a writer may be writing parts. */
    writing: (id: string): Key => at('writing', id),
  };
}

/** A text as part of a key. It sorts as the text does, unless the text is too long. */
export async function hashedName(of: string): Promise<Bytes> {
  const bytes = orderedBytes(of);
  if (bytes.length <= LONGEST) return bytes;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return new Uint8Array([...bytes.subarray(0, HEAD), LAST, ...digest]);
}

/** A range that has all names with a prefix after another text, and perhaps more. */
export function namesOf(prefix: string, after = ''): { readonly low: Bytes; readonly high: Bytes } {
  const head = orderedBytes(prefix).subarray(0, HEAD);
  const last = orderedBytes(after);
  const high = new Uint8Array(head.length + LONGEST - HEAD + 1).fill(LAST);
  high.set(head);
  if (after < prefix) return { low: head, high };
  // Texts that were cut do not sort as their keys do.
  return { low: last.length > HEAD || after === '' ? last.subarray(0, HEAD) : justAfter(last), high };
}

/** At least the bytes of a key as Deno KV counts them: it writes zeros twice, and more where parts begin and end. */
export function sizeOf(key: Key): number {
  let size = 0;
  for (const part of key) {
    if (typeof part === 'number') size += 10;
    else if (typeof part === 'string') size += part.length * 3 + 2;
    else size += part.length + part.filter((byte) => byte === 0).length + 2;
  }
  return size;
}

/** @throws {StorageError} where it is too large. */
export function writtenRecord(record: DenoKvRecord): Bytes {
  const bytes = jsonBytes(record);
  if (bytes.length <= PART) return bytes;
  throw new StorageError(
    `Deno KV: an item of ${bytes.length} bytes is more than ${PART}; what is large goes in its body`,
    { transient: false },
  );
}

/** @throws where it is not one. */
export const readRecord = (value: unknown): DenoKvRecord => readJsonBytes(value as Bytes) as DenoKvRecord;

/** So many parts are written at once; together they have 800 kB at the most. */
const TOGETHER = 12;

/** So many parts are removed at once. */
const PAGE = 500;

/** How long after its last write a writer of parts counts as dead, in ms. */
const WRITING = 600_000;

/** Parts that are written and belong to no entry yet. */
export interface Uploaded extends Parts {
  /** Of the note that says so. */
  readonly stamp: string;
}

export type Bodies = ReturnType<typeof bodiesIn>;

/** Bodies too large for one value. Their parts are written, and noted, before the entry is. */
export function bodiesIn({ read, list, commit }: KvConnection, keys: KvKeys) {
  const partsOf = ({ id, count }: Parts) => Array.from({ length: count }, (_, at) => keys.part(id, at));

  /** Removes parts that belong to no entry. */
  const remove = async (parts: Parts): Promise<void> => {
    for (const page of chunks(partsOf(parts), PAGE)) await commit(page.map((key) => ({ key })));
    await commit([{ key: keys.writing(parts.id) }, { key: keys.looseOf(parts.id) }]);
  };

  /** Removes parts without an entry, unless another writer uses them by now. @param stamp Of their note. */
  const removeLoose = async ({ id, count, size }: Parts, stamp: string): Promise<void> => {
    const key = keys.looseOf(id);
    const value = { id, count, size };
    // A writer that still wants to use them finds another note.
    if (await commit([{ key, value }], [{ key, versionstamp: stamp }])) await remove(value);
  };

  return {
    remove,
    removeLoose,

    async upload(bytes: Bytes): Promise<Uploaded> {
      const id = crypto.randomUUID();
      const parts = pieces(bytes, PART).map((value, at) => ({ key: keys.part(id, at), value }));
      const note: Parts = { id, count: parts.length, size: bytes.length };
      const stamp = await commit([
        { key: keys.looseOf(id), value: note },
        { key: keys.writing(id), value: true, expireIn: WRITING },
      ]);
      for (const page of chunks(parts, TOGETHER)) await commit(page);
      return { ...note, stamp: stamp as string };
    },

    /** @returns `undefined` where it is not whole. */
    async read(body: Parts): Promise<Bytes | undefined> {
      const parts = (await read(partsOf(body))).map(({ value }) => value);
      if (!parts.every((part) => part instanceof Uint8Array)) return undefined;
      const bytes = joined(parts);
      return bytes.length === body.size ? bytes : undefined;
    },

    /** Whether the uploaded parts still exist. */
    async has({ id, stamp }: Uploaded): Promise<boolean> {
      const [note] = await read([keys.looseOf(id)]);
      return note?.versionstamp === stamp;
    },

    /** Removes the parts left behind by killed processes. */
    async sweep(): Promise<void> {
      for await (const { value, stamp } of list(keys.loose, namesOf(''), PAGE)) {
        const parts = value as Parts;
        const [writing] = await read([keys.writing(parts.id)]);
        if (!writing?.versionstamp) await removeLoose(parts, stamp);
      }
    },
  };
}
