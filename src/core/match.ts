import { expected, type Rule } from './check.ts';

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

/** Passes what `matches` can ask. */
export const urlMatchRule: Rule<Match> = (value, option) =>
  expected(
    'a URL, a function or something with test(url)',
    typeof value === 'string' ||
      typeof value === 'function' ||
      typeof (value as { test?: unknown } | null | undefined)?.test === 'function',
    value as Match,
    option,
  );
