import { StorageError } from '../../core/errors.ts';
import type { Item } from '../../core/store.ts';
import type { Bytes } from '../../primitives/units.ts';
import { type Kind, orderedBytes, readText, textOf } from '../encoding.ts';

export type Key = readonly (string | number | Bytes)[];

/** A write under a key; without a value, a deletion. */
export interface Mutation {
  readonly key: Key;
  readonly value?: Bytes | string | number | object;
}

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

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Where everything of a store lies. */
export class KvKeys {
  readonly #name: string;
  /** Changes with every change. */
  readonly state: Key;
  /** Prefixes of the items, of the lists of groups and collections, and of the records that belong to no entry. */
  readonly items: Key;
  readonly group: Key;
  readonly collection: Key;
  readonly loose: Key;

  constructor(name: string) {
    this.#name = name;
    this.state = [name, 'state'];
    this.items = [name, 'item'];
    this.group = [name, 'group'];
    this.collection = [name, 'collection'];
    this.loose = [name, 'loose'];
  }

  part(id: string, at: number): Key {
    return [this.#name, 'body', id, at];
  }

  /** Says that parts belong to no entry: not yet, or not any more. */
  looseOf(id: string): Key {
    return [...this.loose, orderedBytes(id)];
  }

  /** Present as long as a writer may be writing parts. */
  writing(id: string): Key {
    return [this.#name, 'writing', id];
  }
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

/** After a name and all that is under it, and before every other. */
export const justAfter = (name: Bytes): Bytes => new Uint8Array([...name, 0]);

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
  const bytes = utf8.encode(textOf(record)) as Bytes;
  if (bytes.length <= PART) return bytes;
  throw new StorageError(
    `Deno KV: an item of ${bytes.length} bytes is more than ${PART}; what is large goes in its body`,
    { transient: false },
  );
}

/** @throws where it is not one. */
export const readRecord = (value: unknown): DenoKvRecord =>
  readText(text.decode(value as Bytes)) as DenoKvRecord;
