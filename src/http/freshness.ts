import { cacheControl, seconds } from './cache-control.ts';
import { httpDate } from './retry-after.ts';

/** What must be known of a stored response to tell its age. Wall times in ms. */
export interface Times {
  /** When the request was sent. */
  readonly requestedAt: number;
  /** When the response came. */
  readonly receivedAt: number;
}

/** Statuses whose response is a copy worth having when the origin is gone. */
const COPIED = [200, 203];

/** RFC 9111, 3: may a private cache keep this? */
export function isStorable(request: Request, response: Response): boolean {
  if (request.method !== 'GET' || !COPIED.includes(response.status) || response.type === 'opaque')
    return false;
  if (response.headers.get('vary')?.includes('*')) return false;
  return !cacheControl(response.headers).has('no-store') && !cacheControl(request.headers).has('no-store');
}

/**
 * The age of a stored response in ms (RFC 9111, 4.2.3). Where `Date` and `Age` are hidden (CORS) or absent it counts
 * from our own receipt; a clock that was set back does not make it younger than nothing.
 */
export function currentAge(headers: Headers, { requestedAt, receivedAt }: Times, now: number): number {
  const date = httpDate(headers.get('date') ?? '', receivedAt);
  const apparent = date === undefined ? 0 : Math.max(0, receivedAt - date);
  const age = /^\d+$/.test(headers.get('age') ?? '') ? Number(headers.get('age')) * 1000 : 0;
  const corrected = age + (receivedAt - requestedAt);
  return Math.max(apparent, corrected, 0) + Math.max(0, now - receivedAt);
}

/** How long a response is fresh, in ms (RFC 9111, 4.2.1); `s-maxage` is for shared caches. */
export function freshFor(headers: Headers, receivedAt: number): number {
  const maxAge = seconds(cacheControl(headers), 'max-age');
  if (maxAge !== undefined) return maxAge * 1000;
  const expires = headers.get('expires');
  if (expires === null) return 0;
  const date = httpDate(headers.get('date') ?? '', receivedAt) ?? receivedAt;
  return Math.max(0, (httpDate(expires, receivedAt) ?? 0) - date);
}

/**
 * Whether a stored response may stand in when the origin cannot answer (RFC 9111, 4.2.4; RFC 5861, 4): what the origin
 * says in `stale-if-error` goes before what the application allows.
 *
 * @param age Its age in ms.
 * @param maxStale How long past its freshness the application would take it, in ms.
 */
export function mayBeStale(headers: Headers, receivedAt: number, age: number, maxStale: number): boolean {
  const directives = cacheControl(headers);
  // Fresh or not: it may not be used without a word of the origin (RFC 9111, 5.2.2.4).
  if (directives.has('no-cache')) return false;
  const late = age - freshFor(headers, receivedAt);
  if (late <= 0) return true;
  if (directives.has('must-revalidate')) return false;
  const allowed = seconds(directives, 'stale-if-error');
  return late <= (allowed === undefined ? maxStale : allowed * 1000);
}

/** Whether this request takes a copy at all: `no-cache` and `no-store` ask for the origin's own word. */
export function takesCopies(request: Request): boolean {
  const directives = cacheControl(request.headers);
  const { cache } = request;
  return (
    !directives.has('no-cache') &&
    !directives.has('no-store') &&
    cache !== 'no-store' &&
    cache !== 'reload' &&
    cache !== 'no-cache'
  );
}

/** The caller's own conditional requests and ranges are between it and the origin. */
export const isOwnValidation = ({ headers }: Request): boolean =>
  ['range', 'if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range'].some(
    (name) => headers.has(name),
  );
