import { StorageError } from '../core/errors.ts';
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
/** A byte order mark is a part of the text: CSV files for Excel begin with one. */
const text = new TextDecoder('utf-8', { ignoreBOM: true, fatal: false });

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
export function orderedBytes(key: string): Bytes {
  if (!/[\ud800-\udfff]/.test(key)) return utf8.encode(key) as Bytes;
  const bytes: number[] = [];
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at);
    if (unit < 0x80) bytes.push(unit);
    else if (unit < 0x800) bytes.push(0xc0 | (unit >> 6), 0x80 | (unit & 0x3f));
    else bytes.push(0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f));
  }
  return new Uint8Array(bytes);
}

/** SHA-256 of a text, in hexadecimal digits. */
export async function digestOf(text: string): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text)));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** Marks an object that stands for a value JSON does not have; an application's own property of that name is written as a list. */
const TAG = '$';

type Tagged = { readonly [TAG]: string; readonly of?: unknown };

/**
 * Plain data as JSON has it, for platforms that keep nothing but text and bytes: also what the structured clone algorithm
 * has beyond JSON, but for cycles, errors and objects of the platform.
 *
 * @param outside The objects that contain it.
 * @throws {StorageError} for a value that cannot be stored.
 */
export function jsonOf(value: unknown, outside: readonly object[] = []): unknown {
  switch (typeof value) {
    case 'string':
    case 'boolean':
      return value;
    case 'number':
      // JSON has neither NaN nor infinities, and its zero has no sign.
      if (Object.is(value, -0)) return tagged('number', '-0');
      return Number.isFinite(value) ? value : tagged('number', `${value}`);
    case 'undefined':
      return tagged('undefined');
    case 'bigint':
      return tagged('bigint', `${value}`);
    case 'object':
      return value === null ? null : jsonOfObject(value, outside);
    default:
      throw unstorable(`a ${typeof value}`);
  }
}

function jsonOfObject(value: object, outside: readonly object[]): unknown {
  if (outside.includes(value)) throw unstorable('a cycle');
  const around = [...outside, value];
  const inner = (each: unknown): unknown => jsonOf(each, around);
  // By name, as a value may come from another realm.
  const kind = Object.prototype.toString.call(value).slice(8, -1);
  switch (kind) {
    case 'Array':
      return Array.from(value as unknown[], inner);
    case 'Object': {
      const entries = Object.entries(value).map(([name, each]) => [name, inner(each)] as const);
      return Object.hasOwn(value, TAG) ? tagged(kind, entries) : Object.fromEntries(entries);
    }
    case 'Date':
      return tagged(kind, inner((value as Date).getTime()));
    case 'Map':
    case 'Set':
      return tagged(kind, [...(value as Set<unknown>)].map(inner));
    case 'RegExp':
      return tagged(kind, [(value as RegExp).source, (value as RegExp).flags]);
    case 'ArrayBuffer':
      return tagged(kind, base64Of(new Uint8Array(value as ArrayBuffer)));
    default: {
      if (!viewOf(kind)) throw unstorable(`a value of type ${kind}`);
      const { buffer, byteOffset, byteLength } = value as ArrayBufferView;
      return tagged(kind, base64Of(new Uint8Array(buffer, byteOffset, byteLength)));
    }
  }
}

/** Reads the output of `jsonOf`. @throws for other input. */
export function plainOf(json: unknown): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map(plainOf);
  if (Object.hasOwn(json, TAG)) return plainOfTagged(json as Tagged);
  return Object.fromEntries(Object.entries(json).map(([name, each]) => [name, plainOf(each)]));
}

function plainOfTagged({ [TAG]: kind, of }: Tagged): unknown {
  const list = (): never[] => (of as unknown[]).map(plainOf) as never[];
  switch (kind) {
    case 'undefined':
      return undefined;
    case 'number':
      return Number(of);
    case 'bigint':
      return BigInt(of as string);
    case 'Date':
      return new Date(plainOf(of) as number);
    case 'Map':
      return new Map(list());
    case 'Set':
      return new Set(list());
    case 'RegExp':
      return new RegExp(...(of as [string, string]));
    case 'Object':
      return Object.fromEntries(list());
    default: {
      const { buffer } = bytesOf(of as string);
      if (kind === 'ArrayBuffer') return buffer;
      const View = viewOf(kind);
      if (!View) throw new TypeError(`there is no ${kind} here`);
      return new View(buffer);
    }
  }
}

/** The same as text, and as bytes. */
export const textOf = (value: unknown): string => JSON.stringify(jsonOf(value));
export const readText = (text: string): unknown => plainOf(JSON.parse(text));
export const jsonBytes = (value: unknown): Bytes => utf8.encode(textOf(value)) as Bytes;
export const readJsonBytes = (bytes: Bytes): unknown => readText(text.decode(bytes));

const VIEWS: readonly { readonly name: string; new (buffer: ArrayBuffer): ArrayBufferView }[] = [
  Uint8Array,
  Int8Array,
  Uint8ClampedArray,
  Int16Array,
  Uint16Array,
  Int32Array,
  Uint32Array,
  Float32Array,
  Float64Array,
  BigInt64Array,
  BigUint64Array,
  DataView,
];

const viewOf = (kind: string) => VIEWS.find(({ name }) => name === kind);

const tagged = (kind: string, of?: unknown): Tagged => ({ [TAG]: kind, of });

const unstorable = (what: string): StorageError =>
  new StorageError(`${what} cannot be stored`, { transient: false });

/** So many at a time: arguments of a call are limited, and a multiple of three needs no padding. */
const BASE64_PIECE = 0x6000;

export function base64Of(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += BASE64_PIECE)
    text += btoa(String.fromCharCode(...bytes.subarray(at, at + BASE64_PIECE)));
  return text;
}

export const bytesOf = (base64: string): Bytes =>
  Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
