import { HTTPError } from 'ky';
import type { RetryOptions, RetryState } from '../../policies/retry/options.ts';
import { asKys } from './errors.ts';

/** Calls `shouldRetry` as ky does: with an error for each failure, and not after a success. */
export const asking =
  (
    shouldRetry: NonNullable<RetryOptions['shouldRetry']>,
    explained = explain,
  ): NonNullable<RetryOptions['shouldRetry']> =>
  (state) =>
    state.response?.ok ? undefined : shouldRetry(explained(state) as never);

export const explain = ({ request, response, error, retryCount }: RetryState, options?: object) => ({
  request,
  retryCount,
  options,
  error: (response
    ? new HTTPError(response as never, request as never, options as never)
    : asKys(error, request)) as Error,
});

/** A `beforeRetry` hook of one of our retries returned `ky.stop`; it is passed to ky at the next chance. */
export class StoppedError extends Error {}

/** ky repeats no failure of the pipeline; this lets it come to `stopIfStopped`. */
export const onlyStopped = ({ error }: { error: unknown }): boolean => error instanceof StoppedError;
