import { HTTPError, NetworkError as KyNetworkError, TimeoutError as KyTimeoutError } from 'ky';
import { NetworkError, TimeoutError } from '../../core/errors.ts';
import type { RetryOptions, RetryState } from '../../policies/retry/options.ts';
import { addFacts, equipped, type Facts, type Failure, HoldfastError } from '../../primitives/failure.ts';

export {
  HTTPError,
  isForceRetryError,
  isHTTPError,
  isKyError,
  isNetworkError,
  isTimeoutError,
  type KyInstance,
} from 'ky';

/** A write was accepted and has no result yet; nothing is wrong. `outbox.result(id)` gives it when it comes. */
export class QueuedError extends HoldfastError {
  override name = 'QueuedError';
  declare readonly id: string;

  constructor(id: string) {
    super(`the write is kept as ${id} and has no result yet`, {
      code: 'queued',
      category: 'unknown',
      transient: true,
    });
    Object.assign(this, { id });
  }
}

/** A network failure or a time limit as ky's own class, with our facts. Other errors stay what they are. */
export function asKys(error: unknown, request: Request): unknown {
  if (error instanceof TimeoutError) {
    const made = new KyTimeoutError(request);
    addFacts(made, { cause: error });
    return equipped(made, factsOf(error));
  }
  // Its cause is the platform's error, as in ky.
  if (error instanceof NetworkError)
    return equipped(new KyNetworkError(request, { cause: (error.cause ?? error) as Error }), factsOf(error));
  return error;
}

const factsOf = ({ name: _, ...facts }: Error & Failure): Facts => facts;

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
