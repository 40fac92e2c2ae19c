/** Directives of a `Cache-Control` field, names in lower case; a directive without a value is `''`. */
export type Directives = ReadonlyMap<string, string>;

/** RFC 9111, 5.2: a list of tokens, each with an optional token or quoted string. What does not parse is passed over. */
export function cacheControl(headers: Headers): Directives {
  const directives = new Map<string, string>();
  const field = headers.get('cache-control') ?? '';
  for (const [, name, quoted, token] of field.matchAll(
    /([\w!#$%&'*+.^`|~-]+)\s*(?:=\s*(?:"([^"]*)"|([^\s,;]*)))?/g,
  )) {
    const key = (name as string).toLowerCase();
    // The first of two counts for nothing less than the second; RFC 9111, 4.2.1 lets us take the first.
    if (!directives.has(key)) directives.set(key, quoted ?? token ?? '');
  }
  return directives;
}

/** A directive that is a number of seconds (RFC 9111, 1.2.2); what is not one is taken as 0, "already stale". */
export function seconds(directives: Directives, name: string): number | undefined {
  const value = directives.get(name);
  if (value === undefined) return undefined;
  return /^\d+$/.test(value) ? Math.min(Number(value), 2 ** 31) : 0;
}
