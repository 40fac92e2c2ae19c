/**
 * Which URLs: anything with `test(url)` (a `URLPattern`, a `RegExp`), a function, or a string: a prefix of the URL, or
 * of its path if it begins with a slash.
 */
export type Match = { test(url: string): boolean } | ((url: URL) => boolean) | string;

export function matches(match: Match, url: string): boolean {
  if (typeof match === 'function') return match(new URL(url));
  if (typeof match === 'object') return match.test(url);
  return (match.startsWith('/') ? new URL(url).pathname : url).startsWith(match);
}
