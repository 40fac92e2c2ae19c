import type { Bytes } from '../../primitives/units.ts';
import type { StoredBody } from '../store.ts';
import { readUpTo } from './read-body.ts';

/** What a body can be made of again and again. */
type BodySource = StoredBody | FormData;

/** The values that requests were made from, which nothing changes; `null`: from none, which Firefox does not say. */
const bodySources = new WeakMap<Request, BodySource | null>();

/** A larger upload, in bytes, has no default time limit: its duration cannot be guessed. */
export const LARGE_UPLOAD = 256_000;

const isBytes = (body: unknown): body is ArrayBufferView | ArrayBuffer =>
  ArrayBuffer.isView(body) || body instanceof ArrayBuffer;

/** Remembers the value that a request was made from, if it can be sent again without a copy. @param body `null`: there is none. */
export function rememberBody(request: Request, body: unknown): Request {
  if (body === null || typeof body === 'string' || body instanceof Blob) bodySources.set(request, body);
  else if (body instanceof URLSearchParams) bodySources.set(request, String(body));
  else if (isBytes(body)) {
    // Copied, because the caller may change the buffer. The copy of a large upload would double its memory.
    const { buffer = body as ArrayBuffer, byteOffset, byteLength } = body as Partial<ArrayBufferView>;
    if (body.byteLength <= LARGE_UPLOAD)
      bodySources.set(request, new Uint8Array(buffer, byteOffset, byteLength).slice() as Bytes);
  } else if (body instanceof FormData && boundaryOf(request.headers.get('content-type'))) {
    // Not read from the request: WebKit cannot if there are files. Nor the caller's own, which may be changed.
    const form = new FormData();
    for (const [name, value] of body) form.append(name, value as Blob);
    bodySources.set(request, form);
  }
  return request;
}

/** Whether a request carries a body. Firefox has no `request.body`; there every method that may have one is taken to. */
export const hasBody = (request: Request): boolean =>
  request.body === undefined
    ? bodySources.get(request) !== null && !['GET', 'HEAD'].includes(request.method)
    : request.body !== null;

/** The size of a body that was given as a value, in bytes; `undefined` for a stream. */
export const knownSize = (request: Request): number | undefined =>
  hasBody(request) ? sizeOf(bodySources.get(request)) : 0;

/** The same without a read of `request.body`: in Deno that makes a stream of the body, which is sent in another way. */
export const declaredBodySize = (request: Request): number | undefined =>
  ['GET', 'HEAD'].includes(request.method) ? 0 : sizeOf(bodySources.get(request));

/** Characters instead of bytes are exact enough for limits of time and memory. */
function sizeOf(body: BodySource | null | undefined): number | undefined {
  if (body === null) return 0;
  if (typeof body === 'string') return body.length;
  if (body instanceof FormData)
    return [...body.values()].reduce((sum, value) => sum + (sizeOf(value) ?? 0), 0);
  return body instanceof Blob ? body.size : body?.byteLength;
}

/**
 * Makes a request that can be sent more than once: the one snapshot of a body, shared by all repetitions.
 *
 * @param limit How many bytes of a body that can be read only once are kept.
 * @returns makes the next request to send, after `request` itself; `undefined` if the body is larger.
 */
export async function replayable(request: Request, limit: number): Promise<(() => Request) | undefined> {
  if (!hasBody(request)) return () => request;
  const body = bodySources.get(request) ?? (await snapshot(request.clone(), limit));
  if (body === undefined) return undefined;
  // For repetitions further in.
  bodySources.set(request, body);
  return () => withBody(request, body);
}

/**
 * The body of a request in a form that can be stored, or `null` if it has more than `limit` bytes.
 *
 * Text and blobs stay what they are; a form is a blob as it goes over the wire, with its boundary in the header.
 */
export async function readStorableBody(request: Request, limit: number): Promise<StoredBody | null> {
  const source = bodySources.get(request) ?? (await snapshot(request.clone(), limit));
  const body = source instanceof FormData ? multipart(source, request.headers.get('content-type')) : source;
  return body === undefined || (sizeOf(body) ?? 0) > limit ? null : body;
}

/** The same request with this body; the body of `request` may have been read. */
export function withBody(request: Request, body: BodySource): Request {
  // The headers say what the body is, whatever the type of a blob. Only a form gets a boundary of its own.
  const headers = new Headers(request.headers);
  const isForm = body instanceof FormData;
  if (isForm) headers.delete('content-type');
  const init = { body, headers, signal: null };
  let made = new Request(request, init);
  const { method, redirect } = request;
  // Bun keeps the header of `request`, with the boundary of its body.
  if (isForm && made.headers.get('content-type') === request.headers.get('content-type'))
    made = new Request(request.url, { method, redirect, ...init });
  bodySources.set(made, body);
  return made;
}

/** The same request with one more header; takes the body over. */
export function withHeader(request: Request, name: string, value: string, init: RequestInit = {}): Request {
  const made = cloneWith(request, init);
  made.headers.set(name, value);
  return made;
}

/** The same request but for `init`, with headers of its own; takes the body over. */
export function cloneWith(request: Request, init: RequestInit): Request {
  const made = new Request(request, { headers: new Headers(request.headers), ...init, signal: null });
  const body = bodySources.get(request);
  if (body !== undefined) bodySources.set(made, body);
  return made;
}

/** Reads a body up to `limit` bytes; `undefined` if there are more. */
async function snapshot(
  request: Request,
  limit: number,
): Promise<Uint8Array<ArrayBuffer> | Blob | undefined> {
  if (!request.body) {
    const blob = await request.blob();
    return blob.size > limit ? undefined : blob;
  }
  return readUpTo(request.body.getReader(), limit);
}

/**
 * A form as it goes over the wire (RFC 7578; HTML, "multipart/form-data encoding algorithm"). Files stay references, so
 * that a large form is not read into memory.
 *
 * @param contentType With the boundary that the parts are to have.
 * @returns `undefined` if `contentType` names none.
 */
export function multipart(form: FormData, contentType: string | null): Blob | undefined {
  const boundary = boundaryOf(contentType);
  if (!contentType || !boundary) return undefined;
  const parts: (string | Blob)[] = [];
  for (const [name, value] of form) {
    parts.push(`--${boundary}\r\nContent-Disposition: form-data; name="${escaped(newlines(name))}"`);
    if (typeof value === 'string') parts.push('\r\n\r\n', newlines(value));
    else
      parts.push(
        `; filename="${escaped(value.name)}"\r\nContent-Type: ${value.type || 'application/octet-stream'}\r\n\r\n`,
        value,
      );
    parts.push('\r\n');
  }
  parts.push(`--${boundary}--\r\n`);
  return new Blob(parts, { type: contentType });
}

const boundaryOf = (contentType: string | null): string | undefined =>
  /^multipart\/form-data;.*boundary="?([^";]+)/i.exec(contentType ?? '')?.[1];

const newlines = (text: string): string => text.replace(/\r\n?|\n/g, '\r\n');

const escaped = (name: string): string => name.replace(/[\r\n"]/g, encodeURIComponent);
