import { createResponse, responseMetadata } from '../../core/body/response.ts';
import { SOURCE_HEADER } from '../../core/outcome.ts';
import type { StoredBody } from '../../core/store.ts';
import type { ByteRange } from '../../http/range.ts';
import type { CachedResponse } from './store/entry.ts';

/** Why a cached response is served. */
export interface ServeReason {
  /** The origin has just confirmed it. */
  readonly confirmed?: boolean;
  /** The origin's failure: a status, an error, or `'silence'`. */
  readonly cause?: unknown;
  /** Whether a request was sent at all. */
  readonly forwarded?: boolean;
}

interface Served extends ServeReason {
  /** In ms. */
  readonly age: number;
  /** How long it stays fresh, in ms; not above 0: it is stale. */
  readonly ttl: number;
  readonly source: 'cache' | 'stale';
}

/** Makes a response of a cached one, with its `url` and `type`, and with its source. */
export function fromCache(cached: CachedResponse, body: StoredBody | null, served: Served): Response {
  const { confirmed, age, ttl, source } = served;
  const headers = new Headers(cached.headers);
  // A confirmed response counts as just sent (RFC 9111, 5.1).
  if (confirmed) headers.delete('age');
  else headers.set('age', String(Math.floor(age / 1000)));
  // An unclosed string would swallow our member.
  if ((headers.get('cache-status')?.split('"').length ?? 1) % 2 === 0) headers.delete('cache-status');
  headers.append('cache-status', `holdfast; ${path(served)}; ttl=${Math.floor(ttl / 1000)}`);
  headers.set(SOURCE_HEADER, source);
  return createResponse(body, cached.response.response, headers);
}

/** RFC 9211, 2: either a hit, or the reason for forwarding and the outcome. A negative ttl means stale. */
function path({ confirmed, cause, forwarded, ttl }: Served): string {
  if (!confirmed && !forwarded) return 'hit';
  const status = confirmed ? 304 : cause;
  return `fwd=${ttl > 0 ? 'request' : 'stale'}${typeof status === 'number' ? `; fwd-status=${status}` : ''}`;
}

/** A part of a response (RFC 9110, 14.2). @param size Of the whole body, in bytes. */
export async function partOf(whole: Response, { first, last }: ByteRange, size: number): Promise<Response> {
  const part = (await whole.blob()).slice(first, last + 1, whole.headers.get('content-type') ?? '');
  const headers = new Headers(whole.headers);
  headers.set('content-range', `bytes ${first}-${last}/${size}`);
  headers.set('content-length', `${part.size}`);
  const metadata = { ...responseMetadata(whole), status: 206, statusText: 'Partial Content' };
  return createResponse(part, metadata, headers);
}
