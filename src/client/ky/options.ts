import type { Options } from 'ky';
import { isNamed } from '../../core/contract.ts';
import type { OrUndefined } from '../../core/normalize-request.ts';
import type { PipelineOptions } from '../../core/pipeline.ts';
import type { CallFallback } from '../../policies/fallback.ts';
import { asTimeoutOptions, type TimeoutOptions } from '../../policies/timeout.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { type Duration, milliseconds } from '../../primitives/units.ts';
import { isObject } from '../../primitives/validate.ts';
import type { Partitioned } from '../fetch.ts';
import { type FetchOptions, IMPORTED, OF_PIPELINE, type StandardOptions } from '../standard.ts';

/** ky's options of one call, with those of the policies at the top level. */
export type ClientOptions = OrUndefined<Omit<Options, 'timeout' | 'retry' | 'totalTimeout'>> &
  Omit<FetchOptions, 'retry'> &
  KyTiming;

interface KyTiming {
  /** Ours, or a ky `retry` object unchanged. */
  readonly retry?: FetchOptions['retry'] | OrUndefined<Options['retry']> | undefined;
  /** As `timeout: { total }`. */
  readonly totalTimeout?: TimeoutOptions['total'] | undefined;
}

export type CreateClientOptions = Omit<Options, 'timeout' | 'retry' | 'totalTimeout' | 'fetch'> &
  Omit<StandardOptions, 'retry'> &
  PipelineOptions<FetchOptions> &
  Partitioned &
  KyTiming;

/** The policy options of a call, besides `timeout` and `retry`, which are ky's names, too. */
export const PER_CALL: readonly string[] = ['breaker', ...IMPORTED, 'operation', 'waitUntil'];

/** Options of the pipeline alone. They never enter ky's options: ky's deep merge would break them. */
export const OURS: readonly string[] = [...new Set([...PER_CALL, ...OF_PIPELINE])];

/** A call that names one of these is translated by itself. */
const TRANSLATED: ReadonlySet<string> = new Set([
  ...OURS,
  'hooks',
  'timeout',
  'totalTimeout',
  'retry',
  'holdfast',
  'onUploadProgress',
]);

/** The options of a call that ky carries out alone; `undefined` if there are others among them. */
export function onlyKys(options: object): Record<string, unknown> | undefined {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    if (value === undefined) continue;
    if (TRANSLATED.has(name)) return undefined;
    plain[name] = value;
  }
  return plain;
}

/** Of these a call may say more than yes or no. */
const WITH_OPTIONS = ['staleCache', 'outbox', 'strategies', 'fallback', 'bulkhead'];

/** Of our options, those that are functions in a call, too. */
const FUNCTIONS = ['waitUntil', 'fetch'];

/**
 * Refuses policy values, which ky's deep merge would turn into `{}`, and makes harmless what it would merge wrongly:
 * `true` over an object erases the object, so it becomes `{}`.
 *
 * @param outer The options to which these are added.
 */
export function plainForKy(options: object, outer: Options = {}): Record<string, unknown> {
  const plain: Record<string, unknown> = { ...options };
  // It would hide the options of `extend`.
  for (const name in plain) if (plain[name] === undefined) delete plain[name];
  // ky puts an object in the place of a duration.
  if (isDuration(outer.timeout) && isObject(plain.timeout)) {
    const limits: TimeoutOptions = plain.timeout;
    plain.timeout = { ...limitsOf(outer.timeout, limits.total), ...limits };
  }
  for (const name of OURS) {
    if ((typeof plain[name] === 'function' && !FUNCTIONS.includes(name)) || isNamed(plain[name]))
      throw new ConfigurationError(
        name,
        plain[name],
        'it is given to createClient; calls and extend() take options only',
      );
    if (plain[name] === true && WITH_OPTIONS.includes(name)) plain[name] = {};
  }
  const fallback = plain.fallback as CallFallback | undefined;
  // A function passes the merge as it is; a response or an instance would not.
  if (typeof fallback?.with === 'object' && fallback.with) {
    const value = fallback.with;
    plain.fallback = { ...fallback, with: () => (value instanceof Response ? value.clone() : value) };
  }
  return plain;
}

/** ky's `timeout` is the attempt's, `totalTimeout` the call's. The smaller counts: each may be said in another place. */
export function limitsOf(timeout: unknown, total: unknown): TimeoutOptions {
  const limits = asTimeoutOptions(timeout);
  return total === undefined ? limits : withTotal(limits, total as Duration);
}

/** The same limits, none of them longer than `total`. */
export function withTotal(limits: TimeoutOptions, total: Duration | false): TimeoutOptions {
  const { attempt } = limits;
  const isLonger = isDuration(attempt) && isDuration(total) && msOf(attempt) > msOf(total);
  return { ...limits, ...(isLonger && { attempt: total }), total };
}

export const isDuration = (value: unknown): value is Duration =>
  typeof value === 'number' || typeof value === 'string';

/** @throws {ConfigurationError} if it is no duration. */
export const msOf = (value: Duration): number => milliseconds(value, 'timeout');

/** In the shortcuts a `timeout` with nothing else in it bounds the body, too. */
export const bodyTimeOf = (timeout: unknown): number | undefined =>
  isDuration(timeout) ? msOf(timeout) : undefined;
