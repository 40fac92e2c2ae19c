import { type Duration, milliseconds } from '../../core/durations.ts';
import type { FetchOptions } from '../standard.ts';

/** ky's `timeout` is the attempt's, `totalTimeout` the call's. The smaller counts: each may be said in another place. */
export function withTotal(timeout: unknown, total: unknown): FetchOptions['timeout'] {
  if (total === undefined) return timeout as FetchOptions['timeout'];
  const rest = typeof timeout === 'object' ? timeout : timeout === undefined ? {} : { attempt: timeout };
  const { attempt } = rest as { attempt?: unknown };
  const isLonger = isDuration(attempt) && isDuration(total) && msOf(attempt) > msOf(total);
  return { ...rest, ...(isLonger && { attempt: total }), total } as FetchOptions['timeout'];
}

const isDuration = (value: unknown): value is Duration =>
  typeof value === 'number' || typeof value === 'string';

const msOf = (value: Duration): number => milliseconds(value, 'timeout');

export const limitOf = (retry: unknown, standard: number): number => {
  if (retry === false) return 0;
  const limit =
    typeof retry === 'object' ? (retry as { limit?: number }).limit : (retry as number | undefined);
  return limit ?? standard;
};
