import ky, { type Hooks, HTTPError, type Options } from 'ky';
import { categoryOf } from '../../core/category.ts';
import { equipped, NetworkError } from '../../core/errors.ts';
import { outcomeOf } from '../../core/outcome.ts';
import { isProblem, problemFrom } from '../../http/problem.ts';
import type { RetryOptions, RetryState } from '../../policies/retry/options.ts';
import { asKys } from './errors.ts';
import { limitOf } from './limits.ts';

/** An answer that ky makes an error has the facts of every other error, and what the server says of the problem. */
export const withFacts: NonNullable<Hooks['beforeError']>[number] = ({ error }) => {
  if (!(error instanceof HTTPError)) return error;
  const { response, data } = error;
  const category = categoryOf(response);
  if (isProblem(response)) Object.assign(error, { problem: problemFrom(data) });
  return equipped(error, {
    code: `http-${response.status}`,
    category: category ?? 'unknown',
    transient: category === 'server' || category === 'rate-limit' || category === 'timeout',
    ...outcomeOf(response),
  });
};

/** ky's `shouldRetry` and `beforeRetry` get what ky would give them. */
export function retrying(
  retry: unknown,
  hooks: NonNullable<Hooks['beforeRetry']>,
  options: Options,
): unknown {
  const own = typeof retry === 'object' ? (retry as RetryOptions) : retry === undefined ? {} : undefined;
  if (!own && hooks.length === 0) return retry;
  const { shouldRetry } = own ?? {};
  if (hooks.length === 0 && !shouldRetry) return retry;
  const explained = ({ request, response, error, retryCount }: RetryState) => ({
    request,
    retryCount,
    options: options as never,
    error:
      error instanceof NetworkError
        ? asKys(error, request)
        : (error ?? (new HTTPError(response as never, request as never, options as never) as Error)),
  });
  return {
    ...(own ?? { limit: limitOf(retry, 0) }),
    // ky asks only of failures.
    ...(shouldRetry && {
      shouldRetry: (state: RetryState) =>
        state.response?.ok ? undefined : shouldRetry(explained(state) as never),
    }),
    ...(hooks.length > 0 && {
      beforeRetry: async (state: RetryState) => {
        for (const hook of hooks) {
          const word = await hook(explained(state) as never);
          if (word === ky.stop) throw new StoppedError();
          if (word instanceof Request || word instanceof Response) return word;
        }
        return undefined;
      },
    }),
  };
}

/** A `beforeRetry` hook of one of our retries returned `ky.stop`; ky is told so at its own next chance. */
export class StoppedError extends Error {}

export const stopIfStopped: NonNullable<Hooks['beforeRetry']>[number] = ({ error }) =>
  error instanceof StoppedError ? ky.stop : undefined;
