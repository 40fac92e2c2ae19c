import { createResponse, responseMetadata } from '../../core/body/response.ts';
import { SOURCE_HEADER } from '../../core/outcome.ts';
import type { StoredBody } from '../../core/store.ts';
import { ageOf } from '../../http/freshness.ts';
import { byteRange } from '../../http/range.ts';
import type { Cache, Read } from './cache-context.ts';
import { type CachedResponse, isImmutable } from './store/entry.ts';

/** Why a cached response is served. */
export interface ServeReason {
  /** The origin has just confirmed it. */
  readonly confirmed?: boolean;
  /** What came in place of a response: a status, an error, or `'silence'`. */
  readonly cause?: unknown;
  /** Whether a request was sent at all. */
  readonly forwarded?: boolean;
}

/** Makes a response of a cached one, with its `url` and `type`, and with its source. */
export function fromCache(
  cached: CachedResponse,
  body: StoredBody | null,
  now: number,
  why: ServeReason,
): Response {
  const { freshness, response: copy, doubtful, invalidated } = cached;
  const age = ageOf(freshness, now);
  const left = doubtful || invalidated ? Math.min(0, freshness.lifetime - age) : freshness.lifetime - age;
  const headers = new Headers(cached.headers);
  // A confirmed response counts as just sent (RFC 9111, 5.1).
  if (why.confirmed) headers.delete('age');
  else headers.set('age', String(Math.floor(age / 1000)));
  // An unclosed string would swallow our member.
  if ((headers.get('cache-status')?.split('"').length ?? 1) % 2 === 0) headers.delete('cache-status');
  headers.append('cache-status', `holdfast; ${path(why, left)}; ttl=${Math.floor(left / 1000)}`);
  headers.set(SOURCE_HEADER, why.confirmed || left > 0 ? 'cache' : 'stale');
  return createResponse(body, copy.response, headers);
}

/** RFC 9211, 2: either a hit, or why it was forwarded and what came of it. A negative ttl says stale. */
function path({ confirmed, cause, forwarded }: ServeReason, left: number): string {
  if (!confirmed && !forwarded) return 'hit';
  const status = confirmed ? 304 : cause;
  return `fwd=${left > 0 ? 'request' : 'stale'}${typeof status === 'number' ? `; fwd-status=${status}` : ''}`;
}

/**
 * Responds to a request for a part from a complete response that is fresh (RFC 9111, 3.3; RFC 9110, 14.2), in the modes in
 * which a fresh one needs no network. All others are the origin's; no part is stored.
 */
export async function rangeResponse(cache: Cache, read: Read): Promise<Response | undefined> {
  const { request, call, wanted, own, isServed } = read;
  if (request.method !== 'GET' || wanted.noStore || wanted.reload) return undefined;
  const cached = await cache.find(read);
  // The bytes of a part are counted in the coding, which the platform has taken off.
  if (cached?.headers.has('content-encoding')) return undefined;
  if (cached?.response.response.status !== 200 || cache.reuse(cached, call, wanted, own) !== 'as-is')
    return undefined;
  if (!isServed && !isImmutable(cached)) return undefined;
  const range = byteRange(request.headers.get('range') ?? '', cached.size);
  const whole = range && (await cache.serve(cached, read));
  if (!whole) return undefined;
  const { first, last } = range;
  const part = (await whole.blob()).slice(first, last + 1, whole.headers.get('content-type') ?? '');
  const headers = new Headers(whole.headers);
  headers.set('content-range', `bytes ${first}-${last}/${cached.size}`);
  headers.set('content-length', `${part.size}`);
  return createResponse(
    part,
    { ...responseMetadata(whole), status: 206, statusText: 'Partial Content' },
    headers,
  );
}
