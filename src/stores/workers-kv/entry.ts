import type { Item } from '../../core/store.ts';
import { type EncodedBody, joined, type Kind } from '../bytes.ts';
import { jsonOf, plainOf } from '../structured-json.ts';

/** An item with its body. */
export interface Entry {
  readonly item: Item;
  readonly body?: EncodedBody | undefined;
}

/** As it is written: the body is the value, and the head is the metadata where that has room for it, else goes before the body. */
export interface WrittenEntry {
  readonly value: Uint8Array<ArrayBuffer>;
  readonly metadata: Metadata;
}

interface Metadata {
  readonly schema: typeof SCHEMA;
  /** The head, or how many bytes of the value it has. */
  readonly head: object | number;
}

/** An entry but for the bytes of its body. */
interface Head {
  readonly item: Item;
  readonly body?: { readonly kind: Kind; readonly size: number } | undefined;
}

/** What another one has written is not there. */
const SCHEMA = 1;

/** Bytes of metadata, as JSON. */
const ROOM = 1024;

const utf8 = new TextEncoder();
const text = new TextDecoder();

export function writtenEntry({ item, body }: Entry): WrittenEntry {
  const head = jsonOf({
    item,
    ...(body && { body: { kind: body.kind, size: body.bytes.length } }),
  }) as object;
  const metadata: Metadata = { schema: SCHEMA, head };
  const value = body?.bytes ?? new Uint8Array();
  const text = JSON.stringify(metadata);
  // It is sent as a header.
  if (text.length <= ROOM && /^[ -~]*$/.test(text)) return { value, metadata };
  const before = utf8.encode(JSON.stringify(head));
  return { value: joined([before, value]), metadata: { schema: SCHEMA, head: before.length } };
}

/** @returns `undefined` for what is not ours. A body that is not whole is not there. */
export function readEntry(value: ArrayBuffer, metadata: unknown): Entry | undefined {
  if (!isOurs(metadata)) return undefined;
  const inside = typeof metadata.head === 'number' ? metadata.head : 0;
  const head = headIn(metadata) ?? parsed(text.decode(value.slice(0, inside)));
  if (!head) return undefined;
  const bytes = new Uint8Array(value.slice(inside));
  const isWhole = bytes.length === head.body?.size;
  return { item: head.item, ...(head.body && isWhole && { body: { bytes, kind: head.body.kind } }) };
}

/** @returns `undefined` where the entry has to be read. */
export const headIn = (metadata: unknown): Head | undefined =>
  isOurs(metadata) && typeof metadata.head === 'object' ? (plainOf(metadata.head) as Head) : undefined;

/** @returns `undefined` for half a head. */
function parsed(head: string): Head | undefined {
  try {
    return plainOf(JSON.parse(head)) as Head;
  } catch {
    return undefined;
  }
}

const isOurs = (metadata: unknown): metadata is Metadata =>
  (metadata as Partial<Metadata> | null | undefined)?.schema === SCHEMA;
