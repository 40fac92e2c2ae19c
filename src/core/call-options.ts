import type { CallOptions } from './contract.ts';
import { ConfigurationError } from './errors.ts';

/** Pipeline, then route, then call; a `false` for all wins. @param of The options of the routes that match, in order. */
export function settledOptions(
  overall: CallOptions,
  of: readonly CallOptions[],
  own: CallOptions | undefined,
): CallOptions {
  let result = overall;
  for (const route of of) result = { ...result, ...route };
  if (own) {
    const changed: Record<string, unknown> = { ...result };
    for (const name in own) changed[name] = nearer(own[name], result[name]);
    result = changed;
  }
  if (result !== overall)
    for (const policy in overall) if (overall[policy] === false) result = { ...result, [policy]: false };
  return result;
}

/** What is said nearer to the call, on top of what was said further away. */
function nearer(own: unknown, above: unknown): unknown {
  // `true` says that it is wanted, not how.
  if (own === undefined || (own === true && isObject(above))) return above;
  return isObject(own) && isObject(above) ? { ...above, ...said(own) } : own;
}

/** Without what is `undefined`: it must not hide what is said further away. */
const said = (options: object): object =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined));

export const isObject = (value: unknown): value is object =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
export const isString = (value: unknown): boolean => typeof value === 'string';
export const isFunction = (value: unknown): boolean => typeof value === 'function';

export function checked<T>(option: string, value: T, is: (value: unknown) => boolean, expected: string): T {
  if (is(value)) return value;
  throw new ConfigurationError(option, value, `expected ${expected}`);
}

export function checkOperation({ operation, waitUntil }: CallOptions): void {
  if (operation !== undefined) checked('operation', operation, isString, 'a string');
  if (waitUntil !== undefined) checked('waitUntil', waitUntil, isFunction, 'a function');
}

/** Bun's fetch has a `timeout` of its own. */
const PLATFORMS = ['timeout'];

/** An option of ours in the wrong place would be handed to the platform, which says nothing. */
export function checkPlace(extra: Readonly<Record<string, unknown>>, known: Known): void {
  for (const name in extra)
    if (known.has(name) && !PLATFORMS.includes(name))
      throw new ConfigurationError(
        name,
        extra[name],
        `as an option of a call it stands in holdfast: { ${name}: … }`,
      );
}

/** Known in every pipeline, so that a route or a call may switch off what only some clients have. */
export const BUILT_IN_POLICIES: readonly string[] = [
  'timeout',
  'retry',
  'breaker',
  'strategies',
  'dedupe',
  'fallback',
  'outbox',
  'staleCache',
  'hedge',
  'failover',
  'telemetry',
  'auth',
  'bulkhead',
  'rateLimit',
];

/** The options that a call may have, and whether they are only switches. */
export type Known = Map<string, boolean>;

export function checkNames(options: object, known: Known): void {
  if (typeof options !== 'object' || options === null || Array.isArray(options))
    throw new ConfigurationError('holdfast', options, 'expected an object of options by policy');
  for (const [name, value] of Object.entries(options)) {
    const isSwitch = known.get(name);
    if (isSwitch === undefined && !BUILT_IN_POLICIES.includes(name))
      throw new ConfigurationError(
        name,
        value,
        `unknown option; this pipeline knows ${[...known.keys()].join(', ')}`,
      );
    // Switching off what is not there is no mistake.
    if (value === false || value === undefined) continue;
    if (isSwitch === undefined)
      throw new ConfigurationError(
        name,
        value,
        `this pipeline has no ${name}: make it with ${name}: ${name}()`,
      );
    if (value === null) throw new ConfigurationError(name, value, 'expected options, true or false');
    if (isSwitch && value !== true)
      throw new ConfigurationError(name, value, 'a call says true or false; more is said where it is made');
  }
}
