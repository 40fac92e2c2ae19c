import { cacheControl, deltaSeconds, directiveMs } from './cache-control.ts';
import { httpDate } from './retry-after.ts';
import { isHeuristicallyCacheable, standsIn } from './status.ts';

/** The facts from which a stored response's age is computed. Wall times in ms. */
export interface Times {
  /** When the request was sent. */
  readonly requestedAt: number;
  /** When the response came. */
  readonly receivedAt: number;
}

/** A stored response's rules for its own use; all times in ms. */
export interface Freshness {
  /** For how long it is fresh (RFC 9111, 4.2.1). */
  readonly lifetime: number;
  /** How old it was when it came (RFC 9111, 4.2.3). */
  readonly initialAge: number;
  readonly receivedAt: number;
  /** Of two that match the later one is used (RFC 9111, 4): by the origin's `Date` where it can be seen. */
  readonly date: number;
  /** It may not be used without a word of the origin, fresh or not (RFC 9111, 5.2.2.4). */
  readonly noCache: boolean;
  /** It may not be used stale (RFC 9111, 5.2.2.2). */
  readonly mustRevalidate: boolean;
  /** It does not change while it is fresh (RFC 8246, 2). */
  readonly immutable: boolean;
  /** RFC 5861, 3. */
  readonly whileRevalidating: number | undefined;
  /** RFC 5861, 4. */
  readonly ifError: number | undefined;
  /** Once it is stale it may stand in for a failing origin: "not found" may not. */
  readonly standsIn: boolean;
}

interface Known {
  readonly status: number;
  readonly redirected: boolean;
  /** It lies in a shared cache, for which `s-maxage` and `proxy-revalidate` are meant. */
  readonly shared?: boolean;
}

/** Heuristics are not to be trusted for longer. */
const LONGEST_GUESS = 86_400_000;

export function termsOf(
  headers: Headers,
  times: Times,
  { status, redirected, shared = false }: Known,
): Freshness {
  const directives = cacheControl(headers);
  const ms = (name: string): number | undefined => directiveMs(directives, name);
  return {
    // Where a redirect led says nothing about where the next one will lead: never fresh, at most a stand-in.
    lifetime: redirected
      ? 0
      : ((shared ? ms('s-maxage') : undefined) ??
        ms('max-age') ??
        expiry(headers, times) ??
        heuristicLifetime(status, headers, times)),
    initialAge: initialAge(headers, times),
    receivedAt: times.receivedAt,
    date: dateOf(headers, times.receivedAt) ?? times.receivedAt,
    noCache: directives.has('no-cache') && !isOfCookies(directives.get('no-cache') as string),
    mustRevalidate: directives.has('must-revalidate') || (shared && directives.has('proxy-revalidate')),
    immutable: directives.has('immutable'),
    whileRevalidating: ms('stale-while-revalidate'),
    ifError: ms('stale-if-error'),
    standsIn: standsIn(status),
  };
}

/** Whether the origin says how long a response is fresh. */
export const isExplicitlyFresh = (headers: Headers): boolean =>
  cacheControl(headers).has('max-age') || headers.has('expires');

/**
 * The age of a stored response in ms (RFC 9111, 4.2.3). Where `Date` and `Age` are hidden (CORS) or absent it counts
 * from the receipt here; a clock that was set back does not make it younger than it came.
 */
export const ageOf = ({ initialAge, receivedAt }: Freshness, now: number): number =>
  initialAge + Math.max(0, now - receivedAt);

function initialAge(headers: Headers, { requestedAt, receivedAt }: Times): number {
  const date = dateOf(headers, receivedAt);
  const apparent = date === undefined ? 0 : receivedAt - date;
  // A list of ages is an error of a sender; RFC 9111, 5.1: the first counts.
  const said = deltaSeconds(headers.get('age')?.split(',', 1)[0]?.trim() ?? '') ?? 0;
  return Math.max(0, apparent, said * 1000 + (receivedAt - requestedAt));
}

/** `Expires` by the origin's own clock; an invalid date is in the past (RFC 9111, 5.3). */
function expiry(headers: Headers, { receivedAt }: Times): number | undefined {
  const expires = headers.get('expires');
  if (expires === null) return undefined;
  return Math.max(0, (httpDate(expires, receivedAt) ?? 0) - (dateOf(headers, receivedAt) ?? receivedAt));
}

/** Heuristic: a tenth of the time since `Last-Modified` (RFC 9111, 4.2.2). */
function heuristicLifetime(status: number, headers: Headers, { receivedAt }: Times): number {
  if (!isHeuristicallyCacheable(status)) return 0;
  const modified = httpDate(headers.get('last-modified') ?? '', receivedAt);
  if (modified === undefined) return 0;
  const unchanged = (dateOf(headers, receivedAt) ?? receivedAt) - modified;
  return Math.min(LONGEST_GUESS, Math.max(0, unchanged / 10));
}

const dateOf = (headers: Headers, now: number): number | undefined =>
  httpDate(headers.get('date') ?? '', now);

/** The only field that a `no-cache` with a list commonly names, and one that is never stored. */
const isOfCookies = (fields: string): boolean => /^\s*set-cookie\s*$/i.test(fields);
