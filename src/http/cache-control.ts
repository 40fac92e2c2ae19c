/** A request's rules for stored responses: `Cache-Control` (RFC 9111, 5.2.1) and fetch's cache modes. Times in ms. */
export interface RequestDirectives {
  /** Nothing stored, and nothing to be stored. */
  readonly noStore: boolean;
  /** Only after revalidation. */
  readonly noCache: boolean;
  /** The whole response from the origin, without conditions. */
  readonly reload: boolean;
  /** Any stored response, however old. */
  readonly forceCache: boolean;
  /** No request; without a stored response: fetch's network error, or 504. */
  readonly onlyIfCached: 'error' | '504' | undefined;
  readonly maxAge: number;
  readonly minFresh: number;
  /** How stale a response may be without revalidation; -1 for not at all. */
  readonly maxStale: number;
  /** RFC 5861, 4. */
  readonly ifError: number | undefined;
}

export function parseRequestDirectives({ headers, cache }: Request): RequestDirectives {
  const directives = cacheControl(headers);
  // RFC 9111, 5.4: `Pragma` counts only without `Cache-Control`.
  const pragma = !headers.has('cache-control') && /\bno-cache\b/i.test(headers.get('pragma') ?? '');
  return {
    noStore: cache === 'no-store' || directives.has('no-store'),
    noCache: cache === 'no-cache' || cache === 'reload' || directives.has('no-cache') || pragma,
    reload: cache === 'reload',
    forceCache: cache === 'force-cache' || cache === 'only-if-cached',
    onlyIfCached: cache === 'only-if-cached' ? 'error' : directives.has('only-if-cached') ? '504' : undefined,
    maxAge: directiveMs(directives, 'max-age') ?? Infinity,
    minFresh: directiveMs(directives, 'min-fresh') ?? 0,
    // Without a number it is any staleness (RFC 9111, 5.2.1.2).
    maxStale: directives.get('max-stale') === '' ? Infinity : (directiveMs(directives, 'max-stale') ?? -1),
    ifError: directiveMs(directives, 'stale-if-error'),
  };
}

/** Conditions of the caller's own are between it and the origin. */
const OWN = ['if-none-match', 'if-modified-since', 'if-match', 'if-unmodified-since', 'if-range'];

export const isOwnValidation = ({ headers }: Request): boolean => OWN.some((name) => headers.has(name));

/** Directives of a `Cache-Control` field, names in lower case; a directive without a value is `''`. */
export type Directives = ReadonlyMap<string, string>;

const DIRECTIVE = /([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g;

const NONE: Directives = new Map();

/** RFC 9111, 5.2: a list of tokens, each with an optional token or quoted string. Malformed ones are ignored. */
export function cacheControl(headers: Headers): Directives {
  const field = headers.get('cache-control');
  if (!field) return NONE;
  const directives = new Map<string, string>();
  for (const [, name, quoted, token] of field.matchAll(DIRECTIVE)) {
    const key = (name as string).toLowerCase();
    const value = quoted?.replace(/\\(.)/g, '$1') ?? token ?? '';
    const before = directives.get(key);
    // Of two values the first is taken, which RFC 9111, 4.2.1 allows, but not the more lenient of two prohibitions.
    if (before === undefined) directives.set(key, value);
    else if (key === 'no-cache' && before !== value) directives.set(key, '');
  }
  return directives;
}

/** RFC 9111, 1.2.2: larger numbers count as this one, 68 years. */
const LONGEST = 2 ** 31;

/** A directive that is a number of seconds (RFC 9111, 1.2.2), in ms; any other value is 0, "already stale". */
export function directiveMs(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  return value === undefined ? undefined : (deltaSeconds(value) ?? 0) * 1000;
}

/** A number of seconds (RFC 9111, 1.2.2); `undefined` where it is something else. */
export const deltaSeconds = (text: string): number | undefined =>
  /^\d+$/.test(text) ? Math.min(Number(text), LONGEST) : undefined;
