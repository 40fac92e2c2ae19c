import { createResponse } from '../../core/rebuild.ts';
import { SOURCE_HEADER } from '../../core/source.ts';
import type { StoredBody } from '../../core/store.ts';
import { ageOf } from '../../http/freshness.ts';
import type { Held } from './entry.ts';

/** How a copy came to be served. */
export interface Why {
  /** The origin has just said that it is still right. */
  readonly confirmed?: boolean;
  /** What there was in place of an answer: a status, an error, or `'silence'`. */
  readonly cause?: unknown;
  /** Whether the origin was asked at all. */
  readonly forwarded?: boolean;
}

/** A copy as a response, with its `url` and `type`, that says where it comes from. */
export function served(held: Held, body: StoredBody | null, now: number, why: Why): Response {
  const { terms, copy, doubtful, invalidated } = held;
  const age = ageOf(terms, now);
  const left = doubtful || invalidated ? Math.min(0, terms.lifetime - age) : terms.lifetime - age;
  const headers = new Headers(held.headers);
  // What the origin has just confirmed is as if it had just been sent (RFC 9111, 5.1).
  if (why.confirmed) headers.delete('age');
  else headers.set('age', String(Math.floor(age / 1000)));
  // A string that is not closed would swallow what comes after it.
  if ((headers.get('cache-status')?.split('"').length ?? 1) % 2 === 0) headers.delete('cache-status');
  headers.append('cache-status', `holdfast; ${path(why, left)}; ttl=${Math.floor(left / 1000)}`);
  headers.set(SOURCE_HEADER, why.confirmed || left > 0 ? 'cache' : 'stale');
  return createResponse(body, copy.response, headers);
}

/** RFC 9211, 2: either a hit, or why it was forwarded and what came of it. A negative ttl says stale. */
function path({ confirmed, cause, forwarded }: Why, left: number): string {
  if (!confirmed && !forwarded) return 'hit';
  const status = confirmed ? 304 : cause;
  return `fwd=${left > 0 ? 'request' : 'stale'}${typeof status === 'number' ? `; fwd-status=${status}` : ''}`;
}
