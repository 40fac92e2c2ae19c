import { ConfigurationError } from './failure.ts';
import { bytes, milliseconds } from './units.ts';
import type { Match } from './url-match.ts';

/** Passes a value on, as the policy wants it, or throws a `ConfigurationError` that names the option. */
export type Rule<T = unknown> = (value: unknown, option: string) => T;

/** @throws {ConfigurationError} if a value is not as expected. */
export function expected<T>(what: string, isSo: boolean, value: T, option: string): T {
  if (isSo) return value;
  throw new ConfigurationError(option, value, `expected ${what}`);
}

export function unknownOption(option: string, value: unknown, known: Iterable<string>): never {
  throw new ConfigurationError(option, value, `unknown option; known: ${[...known].join(', ')}`);
}

export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/**
 * Reads a bag of options once, when a policy is made: every name must be known and every value allowed.
 *
 * @returns a new object in which every name of `rules` has its value or its default.
 */
export function readOptions<T extends object>(
  owner: string,
  given: object,
  rules: { [K in keyof T]-?: Rule<T[K]> },
  defaults: T,
): T {
  expected('an object', isObject(given), given, owner);
  const read = { ...defaults };
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) && rules[name as keyof T];
    if (!rule) unknownOption(`${owner}.${name}`, value, Object.keys(rules));
    if (value !== undefined) read[name as keyof T] = rule(value, `${owner}.${name}`);
  }
  return read;
}

/** Options over others. What is no bag of options is seen only here: spread out, a list would be nothing. */
export const mergeOptions = <T extends object>(owner: string, below: T, above: T): T => ({
  ...below,
  ...expected('an object', isObject(above), above, owner),
});

/** Options that several calls give, as the same object or value, are read once. */
export function memoized<K, T>(read: (given: K) => T): (given: K) => T {
  const objects = new WeakMap<object, T>();
  const values = new Map<unknown, T>();
  return (given) => {
    const seen = (Object(given) === given ? objects : values) as Map<K, T>;
    let found = seen.get(given);
    if (found === undefined) {
      found = read(given);
      // A call may compute its time limit, each time another one.
      if (values.size > 100) values.clear();
      seen.set(given, found);
    }
    return found;
  };
}

export const duration: Rule<number> = milliseconds;

/** A duration that is not zero. */
export const positiveDuration: Rule<number> = (value, option) => {
  const ms = milliseconds(value, option);
  expected('a duration above 0', ms > 0 && ms !== Infinity, value, option);
  return ms;
};

export const size: Rule<number> = bytes;

/** A duration, or `false` for no limit. */
export const durationOrFalse: Rule<number> = (value, option) =>
  value === false ? Infinity : milliseconds(value, option);

/** A whole number from 0 (or `from`). */
export const integer =
  (from = 0): Rule<number> =>
  (value, option) =>
    expected(
      `a whole number from ${from}`,
      Number.isInteger(value) && (value as number) >= from,
      value as number,
      option,
    );

/** A number between two others. */
export const between =
  (low: number, high: number): Rule<number> =>
  (value, option) =>
    expected(
      `a number from ${low} to ${high}`,
      typeof value === 'number' && value >= low && value <= high,
      value as number,
      option,
    );

/** One of some literals. */
export const oneOf =
  <const T>(...allowed: T[]): Rule<T> =>
  (value, option) =>
    expected(`one of ${allowed.join(', ')}`, allowed.includes(value as T), value as T, option);

/** Anything of a JavaScript type. */
export const ofType =
  <T>(type: 'function' | 'string' | 'object' | 'boolean'): Rule<T> =>
  (value, option) =>
    expected(`a ${type}`, typeof value === type, value as T, option);

/** An object that has these methods. */
export const withMethods =
  <T>(what: string, ...methods: (keyof T & string)[]): Rule<T> =>
  (value, option) => {
    const missing = methods.filter((name) => typeof (value as Partial<T> | null)?.[name] !== 'function');
    const lacks = isObject(value) ? `; it lacks ${missing.join(', ')}` : '';
    return expected(what + lacks, missing.length === 0, value as T, option);
  };

export const abortSignal: Rule<AbortSignal> = (value, option) =>
  expected('an AbortSignal', value instanceof AbortSignal, value as AbortSignal, option);

/** The name of a header (RFC 9110, section 5.6.2, "token"). */
export const headerName: Rule<string> = (value, option) =>
  expected(
    'the name of a header',
    typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value),
    value as string,
    option,
  );

/** Text that a key can be made of: half a character (a lone surrogate) cannot be encoded. */
export const wellFormedString: Rule<string> = (value, option) =>
  expected(
    'a string of well-formed text',
    typeof value === 'string' && !/\p{Surrogate}/u.test(value),
    value as string,
    option,
  );

/** A list of which each item passes. */
export const list =
  <T>(item: Rule<T>): Rule<T[]> =>
  (value, option) =>
    expected('a list', Array.isArray(value), value as unknown[], option).map((each) => item(each, option));

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
