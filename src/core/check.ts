import { bytes, milliseconds } from './durations.ts';
import { ConfigurationError } from './errors.ts';

/** Passes a value on, as the policy wants it, or throws a `ConfigurationError` that names the option. */
export type Rule<T = unknown> = (value: unknown, option: string) => T;

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
  if (typeof given !== 'object' || given === null || Array.isArray(given))
    throw new ConfigurationError(owner, given, 'expected an object');
  const read = { ...defaults };
  for (const [name, value] of Object.entries(given)) {
    const rule = Object.hasOwn(rules, name) && rules[name as keyof T];
    if (!rule)
      throw new ConfigurationError(
        `${owner}.${name}`,
        value,
        `unknown option; known: ${Object.keys(rules).join(', ')}`,
      );
    if (value !== undefined) read[name as keyof T] = rule(value, `${owner}.${name}`);
  }
  return read;
}

/** Options over others. What is no bag of options is seen only here: spread out, a list would be nothing. */
export function layered<T extends object>(owner: string, below: T, above: T): T {
  if (!Array.isArray(above)) return { ...below, ...above };
  throw new ConfigurationError(owner, above, 'expected an object');
}

/** Options that several calls may give as the same object are read once. */
export function memoized<T>(read: (given: unknown) => T): (given: unknown) => T {
  const seen = new WeakMap<object, T>();
  return (given) => {
    if (typeof given !== 'object' || given === null) return read(given);
    let found = seen.get(given);
    if (found === undefined) {
      found = read(given);
      seen.set(given, found);
    }
    return found;
  };
}

export const duration: Rule<number> = milliseconds;

/** A duration that is not zero. */
export const span: Rule<number> = (value, option) => {
  const ms = milliseconds(value, option);
  if (ms > 0 && ms !== Infinity) return ms;
  throw new ConfigurationError(option, value, 'expected a duration above 0');
};

export const size: Rule<number> = bytes;

/** A duration, or `false` for no limit. */
export const limit: Rule<number> = (value, option) =>
  value === false ? Infinity : milliseconds(value, option);

/** A whole number from 0 (or `from`). */
export const count =
  (from = 0): Rule<number> =>
  (value, option) => {
    if (Number.isInteger(value) && (value as number) >= from) return value as number;
    throw new ConfigurationError(option, value, `expected a whole number from ${from}`);
  };

/** A number between two others. */
export const between =
  (low: number, high: number): Rule<number> =>
  (value, option) => {
    if (typeof value === 'number' && value >= low && value <= high) return value;
    throw new ConfigurationError(option, value, `expected a number from ${low} to ${high}`);
  };

/** One of some literals. */
export const oneOf =
  <const T>(...allowed: T[]): Rule<T> =>
  (value, option) => {
    if (allowed.includes(value as T)) return value as T;
    throw new ConfigurationError(option, value, `expected one of ${allowed.join(', ')}`);
  };

/** Anything of a JavaScript type. */
export const typed =
  <T>(type: 'function' | 'string' | 'object' | 'boolean'): Rule<T> =>
  (value, option) => {
    if (typeof value === type) return value as T;
    throw new ConfigurationError(option, value, `expected a ${type}`);
  };

/** An object that has these methods. */
export const having =
  <T>(expected: string, ...methods: (keyof T & string)[]): Rule<T> =>
  (value, option) => {
    const missing = methods.filter((name) => typeof (value as Partial<T> | null)?.[name] !== 'function');
    if (missing.length === 0) return value as T;
    const lacks = typeof value === 'object' && value !== null ? `; it lacks ${missing.join(', ')}` : '';
    throw new ConfigurationError(option, value, `expected ${expected}${lacks}`);
  };

export const abortSignal: Rule<AbortSignal> = (value, option) => {
  if (value instanceof AbortSignal) return value;
  throw new ConfigurationError(option, value, 'expected an AbortSignal');
};

/** The name of a header (RFC 9110, section 5.6.2, "token"). */
export const headerName: Rule<string> = (value, option) => {
  if (typeof value === 'string' && /^[\w!#$%&'*+.^`|~-]+$/.test(value)) return value;
  throw new ConfigurationError(option, value, 'expected the name of a header');
};

/** Text that a key can be made of: half a character (a lone surrogate) cannot be encoded. */
export const wellFormed: Rule<string> = (value, option) => {
  if (typeof value === 'string' && !/\p{Surrogate}/u.test(value)) return value;
  throw new ConfigurationError(option, value, 'expected well-formed text');
};

/** A list of which each item passes. */
export const list =
  <T>(item: Rule<T>): Rule<T[]> =>
  (value, option) => {
    if (!Array.isArray(value)) throw new ConfigurationError(option, value, 'expected a list');
    return value.map((each) => item(each, option));
  };
