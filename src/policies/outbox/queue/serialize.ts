import { hasBody, readStorableBody, rememberBody, withHeader } from '../../../core/body/request-body.ts';
import type { Host } from '../../../core/contract.ts';
import { CapacityError } from '../../../core/errors.ts';
import type { StoredBody } from '../../../core/store.ts';
import { CREDENTIALS } from '../../../http/credentials.ts';
import { withDeadline } from '../../../primitives/clock.ts';
import { ConfigurationError } from '../../../primitives/failure.ts';
import { originOf } from '../../../primitives/request.ts';
import type { OutboxSettings } from '../options.ts';
import type { OutboxEntry } from './entry.ts';

/** Headers that do not identify a user. */
const SAFE = [
  'accept',
  'accept-language',
  'content-encoding',
  'content-language',
  'content-type',
  'if-match',
  'if-modified-since',
  'if-none-match',
  'if-unmodified-since',
  'prefer',
];

/** The part of a request that is written to disk. */
export interface SerializedRequest extends Pick<OutboxEntry, 'request' | 'size' | 'origin'> {
  readonly body: StoredBody | undefined;
  /** The `Idempotency-Key` that the application has given. */
  readonly key: string | undefined;
  /** Names of the headers that are not written and that no hook puts back. */
  readonly omittedHeaders: readonly string[];
}

/**
 * @throws {ConfigurationError} for a request that cannot be queued: its response would be opaque, or it has credentials
 *   that no hook would put back.
 * @throws {CapacityError} code `too-large`.
 */
export async function serializeRequest(
  request: Request,
  {
    idempotencyHeader,
    persistHeaders,
    authorize,
    maxEntryBytes,
  }: Pick<OutboxSettings, 'idempotencyHeader' | 'persistHeaders' | 'maxEntryBytes'> & {
    readonly authorize: unknown;
  },
  reader: { host: Host; signal: AbortSignal },
): Promise<SerializedRequest> {
  const { url, method, credentials, mode, redirect, referrerPolicy } = request;
  refuse('redirect', redirect, 'manual');
  refuse('mode', mode, 'no-cors');
  const kept: [string, string][] = [];
  const dropped: string[] = [];
  request.headers.forEach((value, name) => {
    // The entry has the key, and perhaps another one later.
    if (idempotencyHeader && name === idempotencyHeader.toLowerCase()) return;
    if (SAFE.includes(name) || persistHeaders.includes(name)) kept.push([name, value]);
    else dropped.push(name);
  });
  const lost = authorize ? [] : dropped.filter((name) => CREDENTIALS.includes(name));
  if (lost.length)
    throw new ConfigurationError(
      'outbox.authorize',
      undefined,
      `'${lost}' is not written to disk, so a hook has to put it back`,
    );
  const origin = originOf(url);
  const body = await bodyOf(request, reader, maxEntryBytes);
  const size = body === null ? Infinity : bytesOf(body);
  if (body === null || size > maxEntryBytes)
    throw new CapacityError('too-large', `the body is larger than ${maxEntryBytes} bytes`, { origin });
  return {
    request: { url, method, headers: kept, credentials, mode, redirect, referrerPolicy },
    size,
    origin,
    // Firefox cannot distinguish a request without a body from one with an empty body; over the wire they are the same.
    body: size > 0 ? body : undefined,
    key: (idempotencyHeader && request.headers.get(idempotencyHeader)) || undefined,
    omittedHeaders: authorize ? [] : dropped,
  };
}

/**
 * The stored request.
 *
 * @param keyHeader The header for its key; `false` for none.
 */
export function deserializeRequest(
  { request, idempotencyKey }: Pick<OutboxEntry, 'request' | 'idempotencyKey'>,
  body: StoredBody | undefined,
  keyHeader: string | false = false,
): Request {
  const { url, method, credentials, mode, redirect, referrerPolicy } = request;
  const headers = new Headers(request.headers as [string, string][]);
  if (keyHeader) headers.set(keyHeader, idempotencyKey);
  const init: Record<string, unknown> = { method, headers, body };
  // Workers and some servers' runtimes know fewer of these, and throw at unknown values.
  for (const [name, value] of Object.entries({ credentials, redirect, referrerPolicy }))
    if (value) init[name] = value;
  if (mode === 'cors' || mode === 'same-origin') init.mode = mode;
  return rememberBody(new Request(url, init), body ?? null);
}

/** The request that a hook returned; one that it made anew may lack the key. @param name Of the header; `false` for none. */
export const withKey = (request: Request, name: string | false, key: string): Request =>
  name && !request.headers.has(name) ? withHeader(request, name, key) : request;

function bytesOf(body: StoredBody | undefined): number {
  if (body === undefined) return 0;
  if (typeof body !== 'string') return body instanceof Blob ? body.size : body.byteLength;
  // Counted without encoding: in UTF-8 a code unit has up to three bytes, half of a surrogate pair two.
  let bytes = body.length;
  for (let at = 0; at < body.length; at++) {
    const code = body.charCodeAt(at);
    if (code > 0x7f) bytes += code > 0x7ff && (code < 0xd800 || code > 0xdfff) ? 2 : 1;
  }
  return bytes;
}

/** A request's body in its stored form; `null` if it is larger than `limit`. @throws the reader's reason while it reads. */
export const bodyOf = async (
  request: Request,
  reader: { host: Host; signal: AbortSignal },
  limit: number,
): Promise<StoredBody | null | undefined> =>
  hasBody(request) ? withDeadline(Infinity, reader, readStorableBody(request, limit)) : undefined;

function refuse(option: string, value: string, refused: string): void {
  if (value === refused)
    throw new ConfigurationError(option, value, 'the outbox has to see the response, and this hides it');
}

/**
 * Distinguishes writes by method, URL and body, so that an id that is reused by mistake is noticed.
 *
 * @returns hexadecimal SHA-256; without the body if there is no Web Crypto (insecure pages) or if the same body differs each time
 * (the boundary of a form is random).
 */
export async function fingerprint(request: Request, body: StoredBody | undefined): Promise<string> {
  const head = `${request.method} ${request.url}\n`;
  const { subtle } = globalThis.crypto;
  if (!subtle) return head;
  const varies = request.headers.get('content-type')?.startsWith('multipart/') ?? false;
  const contents = varies ? '' : (body ?? '');
  // Encoding text is much faster than a blob.
  const whole =
    typeof contents === 'string'
      ? new TextEncoder().encode(head + contents)
      : await new Blob([head, contents]).arrayBuffer();
  const hash = new Uint8Array(await subtle.digest('SHA-256', whole));
  return Array.from(hash, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
