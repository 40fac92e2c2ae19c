import { createResponse } from '../../core/body/response.ts';
import { SOURCE_HEADER } from '../../core/outcome.ts';
import type { StoredBody } from '../../core/store.ts';
import { ageOf } from '../../http/freshness.ts';
import type { CachedResponse } from './store/entry.ts';

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
