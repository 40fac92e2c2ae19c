import ky, { type Hooks, HTTPError, TimeoutError as KyTimeoutError } from 'ky';
import { categoryOf, outcomeOf } from '../../core/outcome.ts';
import { isProblem, problemFrom } from '../../http/problem.ts';
import { equipped, isFailure } from '../../primitives/failure.ts';
import type { KyCall } from './call.ts';
import { StoppedError } from './errors.ts';
import { madeOf } from './requests.ts';

type Given = { request: Request; options: object; retryCount: number };

/** ky hands the options that it does not know to each hook. */
const callOf = (options: object): KyCall => (options as { holdfast: KyCall }).holdfast;

/** The hooks of the application, with the retries of the pipeline, and those of holdfast. */
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

/** As in ky, `beforeError` is not run for the error of a `beforeRetry` hook. */
const unlessPassed =
  <G extends Given & { error: Error }, R>(hook: (given: G) => R) =>
  (given: G): R =>
    (given.error === callOf(given.options).passed ? given.error : hook(given)) as R;

const rememberOptions: NonNullable<Hooks['beforeRequest']>[number] = ({ request, options }) => {
  const call = callOf(options);
  if (call.options) return;
  call.options = options as object;
  // No hook of the application has run yet: ky made the request, of this body.
  madeOf((options as { body?: unknown }).body, request);
};

/** For a call with a body, of an instance without hooks. */
export const REMEMBERING: Partial<Hooks> = { beforeRequest: [rememberOptions] };

/** An error that ky makes has the facts of every other error, and the server's problem details. */
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

const stopIfStopped: NonNullable<Hooks['beforeRetry']>[number] = ({ error }) =>
  error instanceof StoppedError ? ky.stop : undefined;
