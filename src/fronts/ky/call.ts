import { type HoldfastInit, WANTS_BODY } from '../../core/entry.ts';
import { type Outcome, outcomeOf } from '../../core/outcome.ts';
import type { FetchOptions } from '../standard.ts';
import { asKys } from './errors.ts';
import { retryingFor } from './hooks.ts';
import { retryOf, withTotal } from './limits.ts';
import type { CallState, PassageInit, PolicyOptions, Settings, Shared } from './state.ts';

export class KyCall implements CallState {
  readonly shared: Shared;
  settings: Settings;
  wantsBody = false;
  options: object | undefined;
  request: Request | undefined;
  passed: unknown;
  retries = 0;
  outcome: Outcome | undefined;
  readonly #hasSignal: boolean;
  readonly #began: number;
  #passages = 0;
  /** `retries` before this passage. */
  #before = 0;

  /** @param hasSignal The request has a signal of the caller's. */
  constructor(shared: Shared, settings: Settings, hasSignal: boolean) {
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
    this.request = undefined;
    this.#before = this.retries;
    init.holdfast = this.#policies(this.#passages++ > 0);
    // Nothing aborts the one that ky made.
    if (!this.#hasSignal && !this.settings.hasSignal) init.signal = null;
    return this.shared.pipeline(request, init as HoldfastInit<FetchOptions>).then(
      (response) => {
        this.#ended(outcomeOf(response));
        return response;
      },
      (error) => {
        this.#ended(error);
        throw asKys(error, this.request ?? request);
      },
    );
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
      settings.whole ??= { ...policies, [WANTS_BODY]: true };
      policies = settings.whole;
    }
    if (settings.repeatsWithHooks)
      policies = { ...policies, retry: retryingFor(this, retryOf(policies?.retry)) };
    if (isAgain && settings.total !== undefined) {
      const left = Math.max(0, settings.total - (this.shared.clock.ticks() - this.#began));
      policies = { ...policies, timeout: withTotal(settings.limits, left) };
    }
    return policies;
  }
}
