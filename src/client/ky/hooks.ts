import ky, { type Hooks, HTTPError, TimeoutError as KyTimeoutError } from 'ky';
import { hasBody } from '../../core/body/request-body.ts';
import { categoryOf, outcomeOf } from '../../core/outcome.ts';
import { isProblem, problemFrom } from '../../http/problem.ts';
import type { RetryOptions, RetryState } from '../../policies/retry/options.ts';
import { equipped, isFailure } from '../../primitives/failure.ts';
import { asKys } from './errors.ts';
import type { CallState } from './state.ts';
import { asRequest, isRequest } from './transport.ts';

type Given = { request: Request; options: object; retryCount: number };

/** ky hands the options that it does not know to each hook. */
const callOf = (options: object): CallState => (options as { holdfast: CallState }).holdfast;

/** The hooks of the application, with the retries of the pipeline, and ours. */
export function hooksFor(hooks: Partial<Hooks>, remembers: boolean): Partial<Hooks> {
  const { beforeRequest = [], beforeRetry = [], afterResponse = [], beforeError = [] } = hooks;
  return {
    beforeRequest: remembers ? [rememberOptions, ...beforeRequest] : beforeRequest,
    beforeRetry: beforeRetry.length > 0 ? [stopIfStopped, ...beforeRetry.map(counted)] : [],
    afterResponse: afterResponse.map(counted),
    beforeError: [withFacts, ...beforeError.map((hook) => unlessPassed(counted(hook)))],
  };
}

/** ky counts only its own repetitions, and knows only the request that it sent. */
const counted =
  <G extends Given, R>(hook: (given: G) => R) =>
  (given: G): R => {
    const { retries, request } = callOf(given.options);
    return hook({
      ...given,
      request: request ?? given.request,
      retryCount: given.retryCount + retries,
    });
  };

/** As in ky, `beforeError` is not run for what a `beforeRetry` hook threw. */
const unlessPassed =
  <G extends Given & { error: Error }, R>(hook: (given: G) => R) =>
  (given: G): R =>
    (given.error === callOf(given.options).passed ? given.error : hook(given)) as R;

const rememberOptions: NonNullable<Hooks['beforeRequest']>[number] = ({ options }) => {
  callOf(options).options = options as object;
};

/** An error that ky makes has the facts of every other error, and what the server says of the problem. */
const withFacts: NonNullable<Hooks['beforeError']>[number] = ({ error, options }) => {
  const call = callOf(options);
  if (error instanceof KyTimeoutError && !isFailure(error) && call.settings.total !== undefined)
    return equipped(error, {
      code: 'timeout-total',
      category: 'timeout',
      transient: true,
      ...call.outcome,
    });
  if (!(error instanceof HTTPError)) return error;
  const { response, data } = error;
  const category = categoryOf(response);
  if (call.request) error.request = call.request as typeof error.request;
  if (isProblem(response)) Object.assign(error, { problem: problemFrom(data) });
  return equipped(error, {
    code: `http-${response.status}`,
    category: category ?? 'unknown',
    transient: category === 'server' || category === 'rate-limit' || category === 'timeout',
    ...(outcomeOf(response) ?? call.outcome),
  });
};

/** What ky would give to `shouldRetry`: an error for each failure, and no question about a success. */
export const asking =
  (
    shouldRetry: NonNullable<RetryOptions['shouldRetry']>,
    explained = explain,
  ): NonNullable<RetryOptions['shouldRetry']> =>
  (state) =>
    state.response?.ok ? undefined : shouldRetry(explained(state) as never);

const explain = ({ request, response, error, retryCount }: RetryState, options?: object) => ({
  request,
  retryCount,
  options,
  error: (response
    ? new HTTPError(response as never, request as never, options as never)
    : asKys(error, request)) as Error,
});

/** The `retry` of one call for the pipeline: `shouldRetry` and `beforeRetry` get what ky would give them. */
export function retryingFor(call: CallState, retry: RetryOptions): RetryOptions {
  const { shouldRetry, hooks } = call.settings;
  const explained = (state: RetryState) =>
    explain(
      {
        ...state,
        request: call.request ?? state.request,
        retryCount: call.retryCount(state.retryCount),
      },
      call.options,
    );
  const beforeRetry = async (state: RetryState) => {
    call.repeats(state.retryCount);
    const given = explained(state);
    for (const hook of hooks.beforeRetry ?? []) {
      let word: unknown;
      try {
        word = await hook(given as never);
      } catch (thrown) {
        if (thrown !== given.error) call.passed = thrown;
        throw thrown;
      }
      if (word === ky.stop) throw new StoppedError();
      if (word instanceof Response) return word;
      if (isRequest(word)) {
        call.request = asRequest(word);
        break;
      }
    }
    // As in ky, what a hook does to a request stays for the retries to come; a body is needed for those, too.
    if (hasBody(given.request)) call.request ??= given.request;
    return call.request?.clone();
  };
  return {
    ...retry,
    ...(shouldRetry && { shouldRetry: asking(shouldRetry, explained) }),
    ...(hooks.beforeRetry?.length && { beforeRetry }),
  };
}

/** A `beforeRetry` hook of one of our retries returned `ky.stop`; it is passed to ky at the next chance. */
class StoppedError extends Error {}

/** Of what fails in the pipeline ky repeats nothing; this lets it come to `stopIfStopped`. */
export const onlyStopped = ({ error }: { error: unknown }): boolean => error instanceof StoppedError;

const stopIfStopped: NonNullable<Hooks['beforeRetry']>[number] = ({ error }) =>
  error instanceof StoppedError ? ky.stop : undefined;
