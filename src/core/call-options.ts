import { ConfigurationError } from '../primitives/failure.ts';
import { expected, isObject, ofType, type Rule, unknownOption } from '../primitives/validate.ts';
import { type CallOptions, type Policy, traitsOf } from './contract.ts';

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
    for (const name in own) changed[name] = nearer(own[name], result[name], SHORT[name]);
    result = changed;
  }
  if (result !== overall)
    for (const policy in overall) if (overall[policy] === false) result = { ...result, [policy]: false };
  return result;
}

/** The option that a number or a text in place of options is. */
const SHORT: Readonly<Record<string, string>> = { retry: 'limit', timeout: 'attempt' };

/** What is said nearer to the call, on top of what was said further away. */
function nearer(own: unknown, above: unknown, short: string | undefined): unknown {
  // `true` says that it is wanted, not how.
  if (own === undefined || (own === true && above)) return above;
  const [outer, inner] = [above, own].map((each) =>
    short && (typeof each === 'number' || typeof each === 'string') ? { [short]: each } : each,
  );
  return isObject(outer) && isObject(inner) ? { ...outer, ...said(inner) } : own;
}

/** Without what is `undefined`: it must not hide what is said further away. */
export const said = <T extends object>(options: T): T =>
  Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;

/** An option of holdfast in the wrong place would be handed to the platform, which says nothing. Bun has a `timeout` of its own. */
export function checkPlace(extra: Readonly<Record<string, unknown>>, known: OptionTable): void {
  for (const name in extra)
    if (known.has(name) && name !== 'timeout')
      throw new ConfigurationError(
        name,
        extra[name],
        `as an option of a call it stands in holdfast: { ${name}: … }`,
      );
}

/** In the standard order. Known in every pipeline, so that a route or a call may switch off what only some clients have. */
export const BUILT_IN_POLICIES: readonly string[] = [
  'strategies',
  'dedupe',
  'fallback',
  'outbox',
  'staleCache',
  'timeout',
  'retry',
  'hedge',
  'failover',
  'telemetry',
  'auth',
  'breaker',
  'bulkhead',
  'rateLimit',
];

/** The options that a call may have. */
export type OptionTable = Map<string, Rule>;

const ofPolicy: Rule = (value, option) => expected('options, true or false', value !== null, value, option);

const onOff: Rule = (value, option) => {
  if (typeof value === 'boolean') return value;
  throw new ConfigurationError(option, value, 'a call says true or false; more is said where it is made');
};

/** Switching off what is not there is no mistake. */
const missing: Rule = (value, option) => {
  if (value !== false)
    throw new ConfigurationError(
      option,
      value,
      `this pipeline has no ${option}: make it with ${option}: ${option}()`,
    );
};

export const knownOf = (policies: readonly Policy[]): OptionTable =>
  new Map<string, Rule>([
    ['waitUntil', ofType('function')],
    ['operation', ofType('string')],
    ...policies.map((policy): [string, Rule] => {
      const { option, switchOnly } = traitsOf(policy);
      return [option, switchOnly ? onOff : ofPolicy];
    }),
  ]);

/** @param place What stands before the names in errors. */
export function checkOptions(options: object, known: OptionTable, place = ''): void {
  expected('an object of options by policy', isObject(options), options, 'holdfast');
  for (const [name, value] of Object.entries(options)) {
    const rule = known.get(name) ?? (BUILT_IN_POLICIES.includes(name) && missing);
    if (!rule) unknownOption(place + name, value, known.keys());
    if (value !== undefined) rule(value, place + name);
  }
}
