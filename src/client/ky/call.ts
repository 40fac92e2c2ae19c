import { watchBody } from '../../core/body/watched-response.ts';
import { TimeoutError } from '../../core/errors.ts';
import { type HoldfastInit, TO_WIRE, WANTS_BODY } from '../../core/normalize-request.ts';
import { type Outcome, outcomeOf } from '../../core/outcome.ts';
import type { Run } from '../../core/stage.ts';
import { wholeBody } from '../../policies/retry/whole.ts';
import type { FetchOptions } from '../standard.ts';
import { asKys } from './errors.ts';
import { retryingFor } from './hooks.ts';
import { retryOf, withTotal } from './limits.ts';
import type { CallState, ClientSettings, PassageInit, PolicyOptions, Shared } from './state.ts';
import { asRequest } from './transport.ts';
import { withUploadProgress } from './upload.ts';

export class KyCall implements CallState {
  readonly shared: Shared;
  settings: ClientSettings;
  wantsBody = false;
  options: object | undefined;
  request: Request | undefined;
  sent: Request | undefined;
  passed: unknown;
  retries = 0;
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

  retryCount(n = 0): number {
    return this.#passages - 1 + this.#before + n;
  }

  repeats(n: number): void {
    this.retries = Math.max(this.retries, this.#before + n);
  }

  send(request: Request, init: PassageInit): Promise<Response> {
    this.sent = request;
    this.request = undefined;
    this.#before = this.retries;
    init.holdfast = this.#policies(this.#passages++ > 0);
    // Nothing aborts the one that ky made.
    if (!this.#hasSignal && !this.settings.hasSignal) init.signal = null;
    return this.shared.pipeline(asRequest(request), init as HoldfastInit<FetchOptions>).then(
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

  limitBody(response: Response): void {
    const { bodyTime } = this.settings;
    if (bodyTime === undefined) return;
    const { clock } = this.shared;
    const last = this.outcome?.attempts.at(-1);
    // What the pipeline has read of it took its time, too.
    const began = last?.status === response.status ? last.startedAt + last.duration : clock.now();
    let cancel: (() => void) | undefined;
    const body = watchBody(response, { settled: () => cancel?.() });
    const end = (): void => body?.break(new TimeoutError('attempt', bodyTime, this.outcome));
    cancel = clock.after(Math.max(0, bodyTime - (clock.now() - began)), end);
  }

  #ended(outcome: Partial<Outcome> | undefined): void {
    if (!outcome?.attempts) return;
    const { callId, origin, attempts } = outcome as Outcome;
    this.outcome = { callId, origin, attempts };
    this.repeats((attempts.at(-1)?.attempt ?? 1) - 1);
  }

  #policies(isAgain: boolean): PolicyOptions | undefined {
    const { settings } = this;
    let { policies } = settings;
    if (this.wantsBody) {
      settings.whole ??= untilBody(settings);
      policies = settings.whole;
    }
    if (settings.repeatsWithHooks)
      policies = { ...policies, retry: retryingFor(this, retryOf(policies?.retry)) };
    const { onUploadProgress } = settings;
    const { duplex, body } = (this.options ?? {}) as { duplex?: string; body?: unknown };
    // ky names `duplex` where requests can stream.
    if (onUploadProgress && duplex)
      policies = {
        ...policies,
        [TO_WIRE]: (request: Request) => withUploadProgress(request, onUploadProgress, body),
      };
    if (isAgain && settings.total !== undefined) {
      const left = Math.max(0, settings.total - (this.shared.clock.ticks() - this.#began));
      policies = { ...policies, timeout: withTotal(settings.limits, left) };
    }
    return policies;
  }
}

/** The options for a caller that reads the whole body. */
function untilBody({ policies, bodyTime }: ClientSettings): PolicyOptions {
  if (bodyTime === undefined) return { ...policies, [WANTS_BODY]: wholeBody };
  const timeout = { ...(policies?.timeout as object), idle: bodyTime };
  const read = (run: Run, bodyLimit: number): Promise<void> => wholeBody(run, bodyLimit, bodyTime);
  return { ...policies, timeout, [WANTS_BODY]: read };
}
