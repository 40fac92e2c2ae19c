import type { StoredBody } from '../core/store.ts';
import type { Bytes } from '../primitives/units.ts';

/** The type of a body before it was encoded. */
export type Kind = 'text' | 'bytes' | { readonly type: string };

/** A body for platforms that keep nothing but bytes. */
export interface EncodedBody {
  readonly bytes: Bytes;
  readonly kind: Kind;
}

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** @returns `undefined` for a blob, which has to be read first. */
export function encoded(body: StoredBody): EncodedBody | undefined {
  if (typeof body === 'string') return { bytes: utf8.encode(body) as Bytes, kind: 'text' };
  return body instanceof Blob ? undefined : { bytes: body, kind: 'bytes' };
}

export async function encodedBlob(body: Blob): Promise<EncodedBody> {
  return { bytes: new Uint8Array(await body.arrayBuffer()), kind: { type: body.type } };
}

export const encodeStoredBody = async (body: StoredBody): Promise<EncodedBody> =>
  encoded(body) ?? encodedBlob(body as Blob);

/** A body as it was given. */
export function decodeStoredBody({ bytes, kind }: EncodedBody): StoredBody {
  if (kind === 'text') return text.decode(bytes);
  return kind === 'bytes' ? bytes : new Blob([bytes], kind);
}

/** Pieces of at most `size` bytes; of nothing, one that is empty. */
export function pieces(bytes: Bytes, size: number): Bytes[] {
  const count = Math.max(1, Math.ceil(bytes.length / size));
  return Array.from({ length: count }, (_, at) => bytes.subarray(at * size, (at + 1) * size));
}

export function joined(parts: readonly Uint8Array[]): Bytes {
  const whole = new Uint8Array(parts.reduce((sum, { length }) => sum + length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}

/**
 * A key as bytes that sort as its UTF-16 code units do: UTF-8, but each half of a surrogate pair by itself (CESU-8). A
 * prefix of a key becomes a prefix of its bytes.
 */
export function orderedBytes(key: string): Uint8Array<ArrayBuffer> {
  if (!/[\ud800-\udfff]/.test(key)) return utf8.encode(key) as Uint8Array<ArrayBuffer>;
  const bytes: number[] = [];
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at);
    if (unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return new Uint8Array(bytes);
}

/** SHA-256 of a text or of bytes, in hexadecimal digits. */
export async function digestOf(of: string | Uint8Array<ArrayBuffer>): Promise<string> {
  const bytes = typeof of === 'string' ? (utf8.encode(of) as Uint8Array<ArrayBuffer>) : of;
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
