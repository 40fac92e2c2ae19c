import { dropBody } from '../core/body/body.ts';
import { hasBody } from '../core/body/request-body.ts';
import { watchBody } from '../core/body/watched-response.ts';
import { type Call, named, type Policy } from '../core/contract.ts';
import { composeWrappers } from '../core/run/compose-wrappers.ts';
import { type Aborter, createAborter, follow } from '../primitives/abort.ts';
import { LruMap } from '../primitives/lru.ts';
import type { Duration } from '../primitives/units.ts';
import { between, duration, list, type Rule, readSettings } from '../primitives/validate.ts';
import { origin, origins, retargetOrigin } from './retarget.ts';

export interface HedgeOptions {
  /**
   * How long the first attempt may be silent. Default: as long as 95 of the last 100 responses of its origin took to their
   * headers; until 20 are known there is no second attempt.
   */
  readonly delay?: Duration;
  /** Share of the calls to an origin, from 0 to 1, that may have a second attempt; up to 5 are saved. Default 0.05. */
  readonly share?: number;
  /**
   * Origins that serve the same: the second attempt for one of them goes to the next in the list, to the same path. Or a
   * function from the call's origin to the one to ask (`undefined`: the same; where it fails there is no second attempt). Default: the call's own.
   */
  readonly origins?: readonly string[] | ((origin: string) => string | undefined);
  /** Other origins that may have `Authorization`, `Cookie` and `credentials: 'include'`. Default none. */
  readonly credentialsFor?: readonly string[];
}

type Targets = readonly string[] | ((origin: string) => string | undefined);

const SAFE = ['GET', 'HEAD', 'OPTIONS'];

const MAX_SAVED = 5;

const targets: Rule<Targets> = (value, option) =>
  typeof value === 'function' ? (value as () => string) : origins(value, option);

/**
 * Sends a second attempt when the first has been silent for longer than usual, and returns the better response: the first
 * that is good, which is neither a network error nor 429 nor 5xx. The other one is aborted. If both fail, the failure
 * of the first is returned. A failure before the delay is over is left to `retry`, and so is a bad response that comes while the
 * second attempt still waits to be sent.
 *
 * Only GET, HEAD and OPTIONS without a body. The second attempt has the number of the first and a half: 1.5 is the hedge
 * of 1.
 *
 * @see Dean and Barroso, The Tail at Scale, CACM 56(2), 2013: hedged requests after the 95th percentile.
 *
 * @example
 * const fetch = createFetch({ hedge: hedge({ delay: '300ms' }) });
 */
export function hedge(options: HedgeOptions = {}): Policy {
  const settings = readSettings(
    'hedge',
    {
      delay: [undefined, duration],
      share: [0.05, between(0, 1)],
      origins: [(own: string) => own, targets],
      credentialsFor: [[], list(origin)],
    },
    options,
  );
  const { share, credentialsFor } = settings;
  const states = new LruMap(() => new State());

  /** The origin of the second attempt; none if the application's function fails, which is no reason to fail the call. */
  const other = (own: string): string | undefined => {
    const { origins } = settings;
    if (typeof origins !== 'function') {
      const at = origins.indexOf(own);
      return at < 0 ? own : origins[(at + 1) % origins.length];
    }
    try {
      return origin(origins(own) ?? own, 'hedge.origins');
    } catch {
      return undefined;
    }
  };

  const policy: Policy = (next) => (request, call) => {
    if (share === 0 || !SAFE.includes(request.method) || hasBody(request)) return next(request, call);
    const state = states.get(call.origin);
    state.saved = Math.min(MAX_SAVED, state.saved + share);
    const { clock } = call.host;
    const began = clock.ticks();
    const delay = settings.delay ?? state.usual;
    const learn = (response: Response): Response => {
      if (settings.delay === undefined && isGood(response)) state.took(clock.ticks() - began);
      return response;
    };
    if (delay === undefined || !state.mayHedge) {
      const response = next(request, call);
      return settings.delay === undefined ? response.then(learn) : response;
    }
    if (call.signal.aborted) return Promise.reject(call.signal.reason);

    return new Promise((resolve, reject) => {
      const branches: Branch[] = [];
      let over = false;

      const settle = (winner?: Branch, reason?: unknown): void => {
        over = true;
        cancel();
        unfollow();
        for (const branch of branches)
          if (branch !== winner) {
            dropBody(branch.outcome?.response);
            branch.own.abort(reason ?? new DOMException('another attempt was faster', 'AbortError'));
          }
      };

      const give = (branch: Branch): void => {
        settle(branch);
        const { outcome, own } = branch;
        const response = outcome?.response;
        if (!response) {
          reject(outcome?.error);
          return;
        }
        watchBody(response, {
          settled(how, error) {
            // Firefox receives a body to its end although its stream was cancelled; an abort of the request stops it.
            if (how === 'broken') own.abort(error);
          },
        });
        resolve(response);
      };

      const onOutcome = (branch: Branch, outcome: Outcome): void => {
        branch.outcome = outcome;
        if (over) dropBody(outcome.response);
        else compare(branch, outcome);
      };

      const compare = (branch: Branch, { response }: Outcome): void => {
        const [first, second] = branches as [Branch, Branch?];
        const good = response && isGood(response);
        // If the second was faster, the first takes at least as long.
        if (good && (branch === first || !first.outcome)) learn(response);
        // Its unread body may hold the slot for which the second attempt waits.
        if (good || !second || (response && branch === first && !second.isSent)) give(branch);
        else if (first.outcome && second.outcome) give(first);
      };

      const send = (to: Request, derived: Call): void => {
        const own = createAborter();
        const branch: Branch = { own };
        branches.push(branch);
        const beforeSend = (): void => {
          derived.beforeSend?.();
          branch.isSent = true;
        };
        next(to, { ...derived, signal: own.signal, beforeSend }).then(
          (response) => onOutcome(branch, { response }),
          (error) => onOutcome(branch, { error }),
        );
      };

      const sendSecond = (): void => {
        // Another call may have used the last one while this call waited.
        if (!state.mayHedge) return;
        const to = other(call.origin);
        if (to === undefined || over) return;
        state.saved--;
        const attempt = call.attempt + 0.5;
        call.emit?.({ type: 'hedge', callId: call.id, origin: call.origin, attempt, delay, to });
        // A listener has aborted the call.
        if (over) return;
        const second =
          to === call.origin ? bypassCache(request) : retargetOrigin(request, to, credentialsFor);
        send(second, { ...call, origin: to, attempt });
      };

      const cancel = clock.after(delay, sendSecond);
      const unfollow = follow(call.signal, (reason) => {
        settle(undefined, reason);
        reject(reason);
      });
      send(request, call);
    });
  };
  return named('hedge', policy, { switchOnly: true, brings: { compose: composeWrappers } });
}

/** Chromium and Firefox let a second request to a URL wait until their cache has the response to the first. */
const bypassCache = (request: Request): Request =>
  request.cache === 'default' ? new Request(request, { cache: 'no-store', signal: null }) : request;

interface Outcome {
  readonly response?: Response;
  readonly error?: unknown;
}

/** One of the attempts, and how it ended. */
interface Branch {
  readonly own: Aborter;
  outcome?: Outcome;
  isSent?: true;
}

const isGood = ({ status }: Response): boolean => status < 500 && status !== 429;

/** The state of an origin: how long it usually takes, and how many second attempts it may still have. */
class State {
  /** The first is not paid for, so that a client of few calls has one. */
  saved = 1;
  /** The 95th percentile in ms; computed again after every tenth response. */
  usual: number | undefined;
  readonly #times: number[] = [];
  #count = 0;

  get mayHedge(): boolean {
    // Twentieths do not add up to one.
    return this.saved > 1 - 1e-9;
  }

  took(ms: number): void {
    this.#times[this.#count++ % 100] = ms;
    if (this.#count < 20 || this.#count % 10) return;
    const sorted = [...this.#times].sort((a, b) => a - b);
    this.usual = sorted[Math.ceil(sorted.length * 0.95) - 1];
  }
}
