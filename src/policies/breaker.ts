import { type Ending, watchBody } from '../core/body.ts';
import { between, count, readOptions, span } from '../core/check.ts';
import { type Call, type Clock, type Home, named, type Policy } from '../core/contract.ts';
import type { Duration } from '../core/durations.ts';
import { CircuitOpenError, isFailure } from '../core/errors.ts';
import { PerOrigin } from '../core/origins.ts';
import { isOriginFailure } from '../http/status.ts';
import { RateWindow } from './rate-window.ts';

export interface BreakerOptions {
  /** Failures in a row that open the circuit. Default 5. */
  readonly failures?: number;
  /** Share of failures, from 0 to 1, that opens it. Default 0.5. */
  readonly rate?: number;
  /** How many calls the share must be of. Default 10. */
  readonly minimum?: number;
  /** How far back the share looks. Default 30 s. */
  readonly window?: Duration;
  /** How long it first stays open, ± 20 %; doubled at each re-opening. Default 5 s. */
  readonly openFor?: Duration;
  /** How long at most. Default 30 s. */
  readonly maxOpenFor?: Duration;
  /** Probes that must succeed to close it. Default 2. */
  readonly successes?: number;
  /** When a probe that never answers gives its permit back. Default 10 s. */
  readonly probeTimeout?: Duration;
}

/**
 * A circuit. Its identity is compared when a result comes back, so that a result of an earlier state is ignored.
 */
type Circuit =
  | { readonly is: 'closed'; failures: number; readonly window: RateWindow; readonly times: 0 }
  | { readonly is: 'open'; readonly until: number; readonly times: number }
  /** One probe at a time; `permit` is when the one that is out gives it back. */
  | { readonly is: 'half-open'; permit: number; successes: number; readonly times: number }
  | { readonly is: 'isolated'; readonly times: 0 };

export type CircuitState = Circuit['is'];

export interface CircuitInfo {
  readonly state: CircuitState;
  /** Wall time in ms from which on a probe is let through. */
  readonly retryAt?: number;
}

export interface Breaker extends Policy {
  /** The circuit of each origin that was called. */
  states(): Record<string, CircuitInfo>;
  /** Refuses all calls to an origin until `reset`. */
  isolate(origin: string): void;
  /** Closes the circuit of an origin, or of all, and forgets what happened. */
  reset(origin?: string): void;
  /** @returns ends the subscription. */
  subscribe(listener: (change: CircuitChange) => void): () => void;
}

export interface CircuitChange {
  readonly origin: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
}

/**
 * Refuses calls to an origin that keeps failing, and probes it now and then. One circuit per origin; no timers, because
 * a worker may never run one: time is compared at the next call.
 *
 * Failures are network errors, time-outs, 408, 5xx but 501 and 505, and bodies that break off. The caller's abort, our
 * own refusals, other 4xx and 429 are neutral. The response that opens the circuit is still the caller's.
 *
 * @throws {CircuitOpenError} while the circuit is open; nothing was sent.
 * @see Nygard, Release It!, 2nd ed., ch. 5.
 */
export function breaker(options: BreakerOptions = {}): Breaker {
  const { failures, rate, minimum, window, openFor, maxOpenFor, successes, probeTimeout } = readOptions(
    'breaker',
    options,
    {
      failures: count(1),
      rate: between(0, 1),
      minimum: count(1),
      window: span,
      openFor: span,
      maxOpenFor: span,
      successes: count(1),
      probeTimeout: span,
    },
    {
      failures: 5,
      rate: 0.5,
      minimum: 10,
      window: 30_000,
      openFor: 5_000,
      maxOpenFor: 30_000,
      successes: 2,
      probeTimeout: 10_000,
    },
  );
  const fresh = (): Circuit => ({ is: 'closed', failures: 0, window: new RateWindow(window), times: 0 });
  const circuits = new PerOrigin(fresh);
  const listeners = new Set<(change: CircuitChange) => void>();
  // Set by the first pipeline: `states()` needs the time, and is asked outside any call.
  let clock: Clock | undefined;

  const change = (origin: string, to: Circuit, emit?: Call['emit']): void => {
    const from = circuits.get(origin).is;
    circuits.set(origin, to);
    if (from === to.is) return;
    emit?.({ type: 'circuit', origin, from, to: to.is });
    for (const listener of listeners) listener({ origin, from, to: to.is });
  };

  const open = ({ origin, host, emit }: Call, times: number): void => {
    const spread = 0.8 + 0.4 * host.random();
    const until = host.clock.ticks() + Math.min(maxOpenFor, openFor * 2 ** times) * spread;
    change(origin, { is: 'open', until, times: times + 1 }, emit);
  };

  /** Lets a call through or throws. @returns the circuit that its result will count for. */
  const enter = (call: Call): Circuit => {
    const circuit = circuits.get(call.origin);
    if (circuit.is === 'closed') return circuit;
    const now = call.host.clock.ticks();
    if (circuit.is === 'open' && now >= circuit.until) {
      const probing: Circuit = {
        is: 'half-open',
        permit: now + probeTimeout,
        successes: 0,
        times: circuit.times,
      };
      change(call.origin, probing, call.emit);
      return probing;
    }
    if (circuit.is === 'half-open' && now >= circuit.permit) {
      circuit.permit = now + probeTimeout;
      return circuit;
    }
    throw refusal(call, retryIn(circuit, now));
  };

  const failed = (seen: Circuit, call: Call): void => {
    if (circuits.get(call.origin) !== seen) return;
    if (seen.is === 'half-open') open(call, seen.times);
    if (seen.is !== 'closed') return;
    seen.window.add(call.host.clock.ticks(), 1);
    const { calls, failed } = seen.window;
    if (++seen.failures >= failures || (calls >= minimum && failed >= rate * calls)) open(call, 0);
  };

  const succeeded = (seen: Circuit, call: Call): void => {
    if (circuits.get(call.origin) !== seen) return;
    if (seen.is === 'closed') {
      seen.failures = 0;
      seen.window.add(call.host.clock.ticks(), 0);
    } else if (seen.is === 'half-open') {
      seen.permit = 0;
      if (++seen.successes >= successes) change(call.origin, fresh(), call.emit);
    }
  };

  /** Neither for nor against the origin: a probe only gives its permit back. */
  const neutral = (seen: Circuit): void => {
    if (seen.is === 'half-open') seen.permit = 0;
  };

  const policy: Policy = (next, home: Home) => {
    clock ??= home.host.clock;
    return (request, call) => {
      let seen: Circuit;
      try {
        seen = enter(call);
      } catch (error) {
        return Promise.reject(error);
      }
      const late = {
        settled: (how: Ending, error?: unknown) => {
          if (how === 'broken' && countsAgainst(error, call)) failed(seen, call);
        },
      };
      return next(request, call).then(
        (response) => {
          if (isOriginFailure(response.status)) failed(seen, call);
          else if (response.status === 429) neutral(seen);
          else {
            succeeded(seen, call);
            watchBody(response, late);
          }
          return response;
        },
        (error) => {
          if (countsAgainst(error, call)) failed(seen, call);
          else neutral(seen);
          throw error;
        },
      );
    };
  };

  return Object.assign(named('breaker', policy), {
    states() {
      const now = clock?.ticks() ?? 0;
      const states: Record<string, CircuitInfo> = {};
      for (const [origin, circuit] of circuits.entries()) {
        const left = retryIn(circuit, now);
        states[origin] = {
          state: circuit.is,
          ...(left && clock && { retryAt: Math.ceil(clock.now() + left) }),
        };
      }
      return states;
    },
    isolate: (origin: string) => change(origin, { is: 'isolated', times: 0 }),
    reset(origin?: string) {
      for (const each of origin === undefined ? [...circuits.entries()].map(([known]) => known) : [origin])
        change(each, fresh());
    },
    subscribe(listener: (change: CircuitChange) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });
}

/** While a probe is out its answer decides, and it should come soon. */
const PROBE_ANSWERS = 1_000;

/** Milliseconds until it makes sense to come back; 0 where nobody knows. */
function retryIn(circuit: Circuit, now: number): number {
  if (circuit.is === 'open') return Math.max(0, circuit.until - now);
  return circuit.is === 'half-open' ? Math.max(0, Math.min(PROBE_ANSWERS, circuit.permit - now)) : 0;
}

function refusal({ id: callId, origin, host, emit }: Call, wait: number): CircuitOpenError {
  const retryAt = wait ? Math.ceil(host.clock.now() + wait) : undefined;
  emit?.({ type: 'refused', callId, origin, code: 'circuit-open', retryAt });
  return new CircuitOpenError({ callId, origin, retryAt });
}

/** The network, or the origin's silence. Else it was the caller's abort, a refusal of ours, or a bug of somebody's. */
const countsAgainst = (error: unknown, { signal }: Call): boolean =>
  isFailure(error)
    ? error.category === 'network' || error.category === 'timeout'
    : error instanceof TypeError && error !== signal.reason;
