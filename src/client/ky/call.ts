import ky from 'ky';
import { constructed } from '../../core/body/read-body.ts';
import { refilled } from '../../core/body/refilled.ts';
import { hasBody, rememberBody } from '../../core/body/request-body.ts';
import { asResponse } from '../../core/body/response.ts';
import { watchBody } from '../../core/body/watched-response.ts';
import { TimeoutError } from '../../core/errors.ts';
import { type HoldfastInit, withFacts } from '../../core/normalize-request.ts';
import { type Outcome, outcomeOf } from '../../core/outcome.ts';
import type { Run } from '../../core/stage.ts';
import { asRetryOptions, type RetryOptions, type RetryState } from '../../policies/retry/options.ts';
import { takeBody } from '../../policies/retry/whole.ts';
import type { Attempt } from '../../primitives/failure.ts';
import type { FetchOptions } from '../standard.ts';
import { asKys, asking, explain, StoppedError } from './errors.ts';
import { withTotal } from './options.ts';
import { asRequest, isRequest, withUploadProgress } from './requests.ts';
import type { ClientSettings, PassageInit, PolicyOptions, Shared } from './state.ts';

/** One call on its way through ky and the pipeline. ky hands it on as the option `holdfast`, to hooks, too. */
export class KyCall {
  readonly shared: Shared;
  settings: ClientSettings;
  /** A body shortcut was called. */
  wantsBody = false;
  /** Its request was made by the caller, or the call gives a body. */
  mayHaveBody = false;
  /** As ky shows them to hooks. */
  options: object | undefined;
  /** The request that a `beforeRetry` hook returned. */
  request: Request | undefined;
  /** The last request sent by ky. */
  sent: Request | undefined;
  /** The error of a `beforeRetry` hook. */
  passed: unknown;
  /** How many of its attempts the pipeline has made again. */
  retries = 0;
  /** How the pipeline came to its last response or failure. */
  outcome: Outcome | undefined;
  readonly #hasSignal: boolean;
  readonly #began: number;
  #passages = 0;
  /** `retries` before this passage. */
  #before = 0;

  /** @param hasSignal The request has a signal of the caller's. */
  constructor(shared: Shared, settings: ClientSettings, hasSignal: boolean) {
    this.shared = shared;
    this.settings = settings;
    this.#hasSignal = hasSignal;
    this.#began = shared.clock.ticks();
  }

  /** ky's repetitions and the pipeline's. @param n Of the pipeline, in this passage. */
  retryCount(n = 0): number {
    return this.#passages - 1 + this.#before + n;
  }

  /** The pipeline is about to repeat for the n-th time. */
  repeats(n: number): void {
    this.retries = Math.max(this.retries, this.#before + n);
  }

  /** Sends the request through the pipeline: once, and again for each `ky.retry()`. */
  send(request: Request, init: PassageInit): Promise<Response> {
    this.sent = request;
    this.request = undefined;
    this.#before = this.retries;
    init.holdfast = this.#policies(this.#passages++ > 0);
    const { hasSignal, givesBody, hooks } = this.settings;
    // Nothing aborts the one that ky made; a hook may return another.
    const isKys = !hooks.beforeRequest?.length;
    if (!this.#hasSignal && !hasSignal && isKys) init.signal = null;
    const given = asRequest(request);
    // Firefox does not say that a request has no body. Later passages may have the request of a hook.
    if (!this.mayHaveBody && !givesBody && isKys && this.#passages === 1) rememberBody(given, null);
    return this.shared.pipeline(given, init as HoldfastInit<FetchOptions>).then(
      (response) => {
        this.#ended(outcomeOf(response));
        if (!response.ok && this.settings.throwsErrors) this.limitBody(response);
        return response;
      },
      (error) => {
        this.#ended(error);
        throw asKys(error, this.request ?? request);
      },
    );
  }

  /** Ends the body of a response that takes longer than `timeout`. */
  limitBody(response: Response): void {
    const { bodyTime } = this.settings;
    if (bodyTime === undefined) return;
    const { clock } = this.shared;
    const last = this.outcome?.attempts.at(-1);
    const now = clock.ticks();
    // The pipeline's read of the body took time, too.
    const began = (last && readFrom.get(last)) ?? now;
    let isOver = false;
    let cancel = (): void => {};
    const settled = (): void => {
      isOver = true;
      cancel();
    };
    const body = watchBody(response, { settled });
    if (isOver) return;
    const end = (): void => body?.break(new TimeoutError('attempt', bodyTime, this.outcome));
    cancel = clock.after(Math.max(0, bodyTime - (now - began)), end);
  }

  #ended(outcome: Partial<Outcome> | undefined): void {
    if (!outcome?.attempts) return;
    const { callId, origin, attempts } = outcome as Outcome;
    this.outcome = { callId, origin, attempts };
    this.repeats((attempts.at(-1)?.attempt ?? 1) - 1);
  }

  /** The `retry` for the pipeline: `shouldRetry` and `beforeRetry` get ky's own arguments. */
  #retrying(retry: RetryOptions): RetryOptions {
    const { shouldRetry, hooks } = this.settings;
    const explained = (state: RetryState) =>
      explain(
        {
          ...state,
          request: this.request ?? state.request,
          retryCount: this.retryCount(state.retryCount),
        },
        this.options,
      );
    const beforeRetry = async (state: RetryState) => {
      this.repeats(state.retryCount);
      const given = explained(state);
      for (const hook of hooks.beforeRetry ?? []) {
        let word: unknown;
        try {
          word = await hook(given as never);
        } catch (thrown) {
          if (thrown !== given.error) this.passed = thrown;
          throw thrown;
        }
        if (word === ky.stop) throw new StoppedError();
        const response = asResponse(word, given.request.url);
        if (response) return response;
        if (isRequest(word)) {
          this.request = asRequest(word);
          break;
        }
      }
      // As in ky, what a hook does to a request stays for the retries to come; a body is needed for those, too.
      if (hasBody(given.request)) this.request ??= given.request;
      return this.request?.clone();
    };
    return {
      ...retry,
      ...(shouldRetry && { shouldRetry: asking(shouldRetry, explained) }),
      ...(hooks.beforeRetry?.length && { beforeRetry }),
    };
  }

  #policies(isAgain: boolean): PolicyOptions | undefined {
    const { settings } = this;
    let { policies } = settings;
    if (this.wantsBody) {
      settings.whole ??= untilBody(settings, this.shared.joins);
      policies = settings.whole;
    }
    if (settings.repeatsWithHooks)
      policies = { ...policies, retry: this.#retrying(asRetryOptions(policies?.retry)) };
    const { onUploadProgress } = settings;
    const { duplex, body } = (this.options ?? {}) as { duplex?: string; body?: unknown };
    // ky names `duplex` where requests can stream.
    if (onUploadProgress && duplex)
      policies = withFacts(policies, {
        toWire: (request: Request) => withUploadProgress(request, onUploadProgress, body),
      });
    if (isAgain && settings.total !== undefined) {
      const left = Math.max(0, settings.total - (this.shared.clock.ticks() - this.#began));
      policies = { ...policies, timeout: withTotal(settings.limits, left) };
    }
    return policies;
  }
}

/** When the pipeline began to read the body of an attempt, in ticks. */
const readFrom = new WeakMap<Attempt, number>();

/** The options for a caller that reads the whole body. */
function untilBody({ policies, bodyTime }: ClientSettings, isShared: boolean): PolicyOptions {
  // ky reads the response by its methods, and gives clones to hooks. Another caller may do otherwise.
  const whole = isShared ? constructed : refilled;
  const read = (run: Run, bodyLimit: number): Promise<void> => {
    const last = run.call.attempts.at(-1);
    if (last) readFrom.set(last, run.ticks);
    return takeBody(run, bodyLimit, bodyTime ?? Infinity, whole);
  };
  const options = withFacts(policies, { wantsBody: read });
  if (bodyTime === undefined) return options;
  return { ...options, timeout: { ...(policies?.timeout as object), idle: bodyTime } };
}
