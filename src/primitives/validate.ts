import { ConfigurationError } from './failure.ts';
import type { Match } from './request.ts';
import { bytes, milliseconds } from './units.ts';

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

/** No list, and no Map, of which no option could be read. */
export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !(Symbol.iterator in value);

/** The options of a policy: the default and the rule of each. */
export type SettingsTable<T> = { readonly [K in keyof T]: readonly [standard: T[K], rule: Rule<T[K]>] };

/** The values that a table describes. */
export type SettingsOf<Table> = Table extends SettingsTable<infer T> ? T : never;

/** Gives a table its type. */
export const settingsTable = <T>(table: SettingsTable<T>): SettingsTable<T> => table;

/**
 * Reads options once, when a policy is made or a call has its own: every name must be known and every value allowed.
 *
 * @param layers A later one wins; `undefined` in it says nothing.
 * @returns a new object in which every name of `table` has its value or its default.
 */
export function readSettings<T>(owner: string, table: SettingsTable<T>, ...layers: unknown[]): T {
  const names = Object.keys(table) as (keyof T & string)[];
  const read = {} as T;
  for (const name of names) read[name] = table[name][0];
  for (const given of layers) {
    expected('an object', isObject(given), given, owner);
    for (const [name, value] of Object.entries(given as object) as [keyof T & string, unknown][]) {
      if (!names.includes(name)) unknownOption(`${owner}.${name}`, value, names);
      if (value !== undefined) read[name] = table[name][1](value, `${owner}.${name}`);
    }
  }
  return read;
}

/** Reads an object of options once, also if several calls pass it. */
export function memoized<K, T>(read: (given: K) => T): (given: K) => T {
  const known = new WeakMap<object, T>();
  return (given) => {
    if (!isObject(given)) return read(given);
    let found = known.get(given);
    if (found === undefined) {
      found = read(given);
      known.set(given, found);
    }
    return found;
  };
}

/**
 * The options of a policy for each call: its own over those of the policy, which are read at once.
 *
 * @param read Reads layers of options, a later one over an earlier one.
 */
export function perCall<T>(read: (...layers: unknown[]) => T, base: unknown): (own: unknown) => T {
  const standard = read(base);
  // `true` switches the policy on without options of its own.
  return memoized((own) => (own === undefined || own === true ? standard : read(base, own)));
}

/** Passes the values of which `isSo` is true. */
export const rule =
  <T>(what: string, isSo: (value: T) => boolean): Rule<T> =>
  (value, option) =>
    expected(what, isSo(value as T), value as T, option);

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
export const integer = (from = 0): Rule<number> =>
  rule(`a whole number from ${from}`, (value: number) => Number.isInteger(value) && value >= from);

/** A number between two others. */
export const between = (low: number, high: number): Rule<number> =>
  rule(
    `a number from ${low} to ${high}`,
    (value: number) => typeof value === 'number' && value >= low && value <= high,
  );

/** One of some literals. */
export const oneOf = <const T>(...allowed: T[]): Rule<T> =>
  rule(`one of ${allowed.join(', ')}`, (value: T) => allowed.includes(value));

/** A value of a JavaScript type. */
export const ofType = <T>(type: 'function' | 'string' | 'object' | 'boolean'): Rule<T> =>
  rule(`a ${type}`, (value) => typeof value === type);

/** An object that has these methods. */
export const withMethods =
  <T>(what: string, ...methods: (keyof T & string)[]): Rule<T> =>
  (value, option) => {
    const missing = methods.filter((name) => typeof (value as Partial<T> | null)?.[name] !== 'function');
    const lacks = isObject(value) ? `; it lacks ${missing.join(', ')}` : '';
    return expected(what + lacks, missing.length === 0, value as T, option);
  };

export const abortSignal: Rule<AbortSignal> = /* @__PURE__ */ rule(
  'an AbortSignal',
  (value) => value instanceof AbortSignal,
);

/** The name of a header (RFC 9110, section 5.6.2, "token"). */
export const headerName: Rule<string> = /* @__PURE__ */ rule(
  'the name of a header',
  (value) => typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value),
);

/** Text that a key can be made of: half a character (a lone surrogate) cannot be encoded. */
export const wellFormedString: Rule<string> = /* @__PURE__ */ rule(
  'a string of well-formed text',
  (value) => typeof value === 'string' && !/\p{Surrogate}/u.test(value),
);

/** A list of which each item passes. */
export const list =
  <T>(item: Rule<T>): Rule<T[]> =>
  (value, option) =>
    expected('a list', Array.isArray(value), value as unknown[], option).map((each) => item(each, option));

/** Methods of HTTP, in any case. */
export const methods: Rule<string[]> = /* @__PURE__ */ list((value, option) =>
  ofType<string>('string')(value, option).toUpperCase(),
);

/** Passes the matchers that `matches` takes. */
export const urlMatchRule: Rule<Match> = /* @__PURE__ */ rule(
  'a URL, a function or something with test(url)',
  (value) => ['string', 'function'].includes(typeof value) || typeof Object(value).test === 'function',
);
