/** Directives of a `Cache-Control` field, names in lower case; a directive without a value is `''`. */
export type Directives = ReadonlyMap<string, string>;

const DIRECTIVE = /([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,;]*)))?/g;

const NONE: Directives = new Map();

/** RFC 9111, 5.2: a list of tokens, each with an optional token or quoted string. What does not parse is passed over. */
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

/** RFC 9111, 1.2.2: what is larger counts as this, which is 68 years. */
const LONGEST = 2 ** 31;

/** A directive that is a number of seconds (RFC 9111, 1.2.2); what is not one is taken as 0, "already stale". */
export function seconds(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  return value === undefined ? undefined : (deltaSeconds(value) ?? 0);
}

/** A number of seconds (RFC 9111, 1.2.2); `undefined` where it is something else. */
export const deltaSeconds = (text: string): number | undefined =>
  /^\d+$/.test(text) ? Math.min(Number(text), LONGEST) : undefined;
