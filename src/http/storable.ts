import { cacheControl } from './cache-control.ts';
import { CREDENTIALS, carriesCredentials } from './credentials.ts';
import { isExplicitlyFresh } from './freshness.ts';
import { isHeuristicallyCacheable, isUnderstood, standsIn } from './status.ts';
import { isUsableVary } from './vary.ts';

/** RFC 9111, 3: may a private cache keep this? */
export function isStorable(request: Request, response: Response): boolean {
  const { status, type, headers } = response;
  if (request.method !== 'GET' || type === 'opaque' || !isUsableVary(headers.get('vary'))) return false;
  // A read that was redirected to another origin, as captive portals do, has not reached its own.
  if (isCrossOriginRedirect(request, response)) return false;
  // Its body has no end.
  if (/^text\/event-stream\b/i.test(headers.get('content-type') ?? '')) return false;
  // A part, and a word about another response, are no response to store.
  if (status < 200 || status === 206 || status === 304) return false;
  if (
    !standsIn(status) &&
    !isExplicitlyFresh(headers) &&
    !(isHeuristicallyCacheable(status) && headers.has('last-modified'))
  )
    return false;
  return !(mustUnderstand(headers) && !isUnderstood(status)) && !isForbidden(headers);
}

/** Whether a response, or one that confirms it, says that it is not to be kept (RFC 9111, 5.2.2.5). */
export const isForbidden = (headers: Headers): boolean =>
  cacheControl(headers).has('no-store') && !mustUnderstand(headers);

/** RFC 9111, 5.2.2.3: the status decides, and `no-store` is for caches that do not know the directive. */
const mustUnderstand = (headers: Headers): boolean => cacheControl(headers).has('must-understand');

/**
 * RFC 9111, 3 and 3.5: may a cache that users share keep this? Not if it varies by credentials, which are part of no key.
 *
 * @param withCredentials The request carried credentials.
 */
export function isShareable(headers: Headers, withCredentials: boolean, ignored?: 'authorization'): boolean {
  const directives = cacheControl(headers);
  if (directives.has('private')) return false;
  const vary = (headers.get('vary') ?? '').toLowerCase().split(',');
  if (vary.some((name) => CREDENTIALS.includes(name.trim()) && name.trim() !== ignored)) return false;
  return !withCredentials || ['public', 's-maxage', 'must-revalidate'].some((name) => directives.has(name));
}

/** Whether redirects have led to another origin. */
export const isCrossOriginRedirect = (request: Request, { redirected, url }: Response): boolean =>
  redirected && !(URL.canParse(url) && new URL(url).origin === new URL(request.url).origin);

/** RFC 9111, 3.1: headers about the connection are not stored. */
const UNSTORED = [
  'connection',
  'keep-alive',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
];

/** `Connection` must not name the headers that a cache needs (RFC 9110, 7.6.1). */
const NEEDED = /^(cache-control|expires|date|age|vary|etag|last-modified|pragma|content-.*)$/;

/** The headers of a response that are kept: none of the connection, and no credentials. */
export function keptHeaders(headers: Headers): [string, string][] {
  const nominated = (headers.get('connection') ?? '').toLowerCase().split(',');
  const names = nominated.map((name) => name.trim());
  const gone = new Set([...UNSTORED, ...names.filter((name) => !NEEDED.test(name))]);
  return [...headers].filter(([name]) => !gone.has(name) && !carriesCredentials(name));
}

/**
 * How many bytes the body has at least, as far as is known (RFC 9111, 3.3): some platforms take a truncated one
 * for complete. Across origins a coding is hidden that may have made the body longer, but hardly by more than this.
 */
export function minimumBodySize({ headers, type }: Response): number {
  const said = headers.get('content-length') ?? '';
  if (!/^\d+$/.test(said) || headers.has('content-encoding')) return 0;
  const length = Number(said);
  return type === 'cors' ? Math.max(0, length - 64 - length / 1000) : length;
}
