import type { Cipher } from '../../core/codec.ts';
import { PUBLIC } from '../../core/contract.ts';
import type { ResponseMetadata } from '../../core/rebuild.ts';
import type { Item, StoredBody } from '../../core/store.ts';
import { type Terms, type Times, termsOf } from '../../http/freshness.ts';
import { isRedirectStatus } from '../../http/status.ts';
import { isTold, type Varying, variesLike } from '../../http/vary.ts';

/** What is kept of a response besides its body. */
export interface Copy extends Times {
  readonly partition: string;
  readonly url: string;
  readonly response: ResponseMetadata;
  readonly headers: readonly (readonly [string, string])[];
  readonly varying: Varying;
  /** Of a small body: tells whether the next answer brings something new. */
  readonly print?: number | undefined;
}

/** What is written of a copy: in the clear what the shelf has to know, and the copy itself, which may be sealed. */
export interface Row {
  readonly schema: typeof SCHEMA;
  /** Bytes of the body as it was read. */
  readonly size: number;
  /** Wall time in ms; written lazily. */
  readonly usedAt: number;
  readonly requestedAt: number;
  /** Something has happened since that may have changed the resource. */
  readonly doubtful?: boolean;
  /** A write has changed the resource. */
  readonly invalidated?: boolean;
  readonly copy: Copy | Uint8Array<ArrayBuffer>;
}

/** A copy as it is at hand. */
export interface Held {
  readonly key: string;
  readonly copy: Copy;
  readonly headers: Headers;
  readonly terms: Terms;
  readonly size: number;
  readonly doubtful: boolean;
  readonly invalidated: boolean;
  /** Of the last use that was written. */
  usedAt: number;
  /** As it was read with the rest; it may be sealed. */
  readonly stored?: StoredBody | undefined;
}

/** RFC 8246, 3: believed over https alone, where no proxy can have added it. */
export const isImmutable = ({ terms, copy }: Held): boolean =>
  terms.immutable && copy.url.startsWith('https:');

const SCHEMA = 1;

/** Items of one group were last used in the same second: the oldest are found without reading the others. */
export const USED = 'copies used ';

const groupOf = (usedAt: number): string =>
  `${USED}${Math.max(0, Math.floor(usedAt / 1_000))
    .toString(36)
    .padStart(7, '0')}`;

export const itemOf = (key: string, row: Row): Item<Row> => ({ key, group: groupOf(row.usedAt), value: row });

export async function rowOf(
  key: string,
  copy: Copy,
  of: Omit<Row, 'schema' | 'copy'>,
  codec?: Cipher,
): Promise<Row> {
  const written = codec ? await codec.encrypt(utf8.encode(JSON.stringify(copy)) as Bytes, key) : copy;
  return { schema: SCHEMA, ...of, copy: written };
}

export function heldOf(
  key: string,
  copy: Copy,
  { size, usedAt, doubtful, invalidated }: Omit<Row, 'schema' | 'copy'>,
): Held {
  const headers = new Headers(copy.headers as [string, string][]);
  return {
    key,
    copy,
    headers,
    terms: termsOf(headers, copy, { ...copy.response, shared: copy.partition === PUBLIC }),
    size,
    usedAt,
    doubtful: doubtful === true,
    invalidated: invalidated === true,
  };
}

/** @returns `undefined` for what another version has written, or nobody: half a record, or one that cannot be opened. */
export async function readItem({ key, value }: Item, codec?: Cipher): Promise<Held | undefined> {
  if (!isRow(value)) return undefined;
  try {
    const { copy } = value;
    const sealed = copy instanceof Uint8Array;
    if (sealed !== (codec !== undefined)) return undefined;
    const read: unknown = sealed && codec ? JSON.parse(text.decode(await codec.decrypt(copy, key))) : copy;
    return isCopy(read) ? heldOf(key, read, value) : undefined;
  } catch {
    return undefined;
  }
}

/** Rows are listed and counted also where they cannot be opened. */
export const isRow = (value: unknown): value is Row => {
  const row = value as Partial<Row> | null;
  return (
    typeof row === 'object' &&
    row?.schema === SCHEMA &&
    areNumbers(row.size, row.usedAt, row.requestedAt) &&
    typeof row.copy === 'object'
  );
};

function isCopy(value: unknown): value is Copy {
  const copy = value as Partial<Copy> | null;
  return (
    typeof copy === 'object' &&
    typeof copy?.url === 'string' &&
    typeof copy.partition === 'string' &&
    areNumbers(copy.requestedAt, copy.receivedAt, copy.response?.status) &&
    [copy.response?.url, copy.response?.type, copy.response?.statusText].every(isText) &&
    Array.isArray(copy.headers) &&
    Array.isArray(copy.varying) &&
    copy.varying.every((pair) => Array.isArray(pair) && typeof pair[0] === 'string')
  );
}

const isText = (value: unknown): boolean => typeof value === 'string';

const areNumbers = (...values: unknown[]): boolean => values.every(Number.isFinite);

/** @throws where it cannot be opened. */
export async function readBody(
  held: Held,
  stored: StoredBody,
  codec?: Cipher,
): Promise<StoredBody | undefined> {
  // A body in the clear is not one that was encrypted here.
  if (codec && !(stored instanceof Uint8Array)) return undefined;
  const body = codec ? await codec.decrypt(stored as Bytes, contextOf(held.key)) : stored;
  return isWhole(body, held.size) ? body : undefined;
}

/** Half a record, whatever cut it short, is not what the origin sent. */
export const isWhole = (body: StoredBody | undefined, size: number): body is Uint8Array<ArrayBuffer> | Blob =>
  body !== undefined && sizeOf(body) === size;

export async function writtenBody(key: string, body: StoredBody, codec?: Cipher): Promise<StoredBody> {
  if (!codec) return body;
  const plain = body instanceof Uint8Array ? body : new Uint8Array(await new Response(body).arrayBuffer());
  return codec.encrypt(plain, contextOf(key));
}

const contextOf = (key: string): string => `${key} body`;

const sizeOf = (body: StoredBody): number =>
  body instanceof Uint8Array ? body.byteLength : body instanceof Blob ? body.size : -1;

type Bytes = Uint8Array<ArrayBuffer>;
const utf8 = new TextEncoder();
const text = new TextDecoder();

/** Keys of copies begin so. */
export const COPIES = 'copy ';

/**
 * Where copies are: everything, what belongs to a partition, or the variants of a URL; each begins with the one before.
 * Neither an encoded partition nor a URL has a space in it, so no two of them make one place.
 */
export function placeOf(partition?: string, url?: string): string {
  if (partition === undefined) return COPIES;
  const whole = `${COPIES}${encodeURIComponent(partition)} `;
  return url === undefined ? whole : `${whole}${bare(url)} `;
}

/** All the places that a place lies in, itself included. */
export const placesAround = (partition: string, url: string): string[] => [
  placeOf(),
  placeOf(partition),
  placeOf(partition, url),
];

/** The place as it is written: where records are sealed, their keys tell nothing either. */
export async function storedPlaceOf(
  codec: Cipher | undefined,
  partition?: string,
  url?: string,
): Promise<string> {
  if (!codec || partition === undefined) return placeOf(partition, url);
  const whole = `${COPIES}${await codec.hashKey(partition)} `;
  // With the partition: the same page is not to be recognised as the same for two people.
  return url === undefined ? whole : `${whole}${await codec.hashKey(placeOf(partition, url))} `;
}

/** A fragment is the page's own business and never reaches the origin. */
const bare = (url: string): string => url.split('#', 1)[0] as string;

/** Of the variants that answer a request, the latest (RFC 9111, 4). */
export function chosen(variants: readonly Held[] | undefined, request: Request): Held | undefined {
  let best: Held | undefined;
  for (const held of variants ?? []) {
    if (!variesLike(held.copy.varying, request) || !isAllowed(held.copy, request)) continue;
    if (!best || isBetter(held, best)) best = held;
  }
  return best;
}

/** Whether two are copies of the same variant. */
export const isSame = (one: Copy, other: Copy): boolean =>
  JSON.stringify(one.varying) === JSON.stringify(other.varying);

/** Whether two answers are the same, as far as their sizes and tags tell, or else what is known of their bodies. */
export function isEqual(held: Held, copy: Copy, size: number): boolean {
  if (held.size !== size) return false;
  const tag = new Headers(copy.headers as [string, string][]).get('etag');
  return tag === null ? copy.print === held.copy.print : tag === held.headers.get('etag');
}

/** A response with a `Vary` goes before one without (RFC 9111, 4.1); then the later one. */
function isBetter(one: Held, other: Held): boolean {
  const told = isTold(one.copy.varying);
  if (told !== isTold(other.copy.varying)) return told;
  // A date has no more than seconds.
  const later =
    one.terms.date - other.terms.date ||
    one.copy.receivedAt - other.copy.receivedAt ||
    one.copy.requestedAt - other.copy.requestedAt;
  return later > 0;
}

/** What the platform would refuse from the network it may not get from here. */
const isAllowed = ({ response: { redirected, type, status } }: Copy, { redirect, mode }: Request): boolean =>
  !(redirected && redirect !== undefined && redirect !== 'follow') &&
  !(isRedirectStatus(status) && redirect !== 'manual') &&
  !(type === 'cors' && mode === 'same-origin');
