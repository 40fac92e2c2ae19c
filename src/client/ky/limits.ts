import type { RetryOptions } from '../../policies/retry/options.ts';
import type { TimeoutOptions } from '../../policies/timeout.ts';
import { type Duration, milliseconds } from '../../primitives/units.ts';

/** ky's `timeout` is the attempt's, `totalTimeout` the call's. The smaller counts: each may be said in another place. */
export function limitsOf(timeout: unknown, total: unknown): TimeoutOptions {
  const limits: TimeoutOptions =
    timeout === undefined
      ? {}
      : timeout === false
        ? { total: false, attempt: false, idle: false }
        : typeof timeout === 'object'
          ? (timeout as TimeoutOptions)
          : { attempt: timeout as Duration };
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

/** A number is the limit. */
export const retryOf = (retry: unknown): RetryOptions =>
  retry === undefined
    ? {}
    : typeof retry === 'object'
      ? (retry as RetryOptions)
      : { limit: retry === false ? 0 : (retry as number) };
