import { aborter, follow } from '../../core/abort.ts';
import { dropBody, type Ending, watchBody } from '../../core/body.ts';
import { type Call, type Clock, type Home, named, type Policy } from '../../core/contract.ts';
import { CircuitOpenError, isFailure } from '../../core/errors.ts';
import { tell } from '../../core/tell.ts';
import { isOriginFailure } from '../../http/status.ts';
import { type Circuit, type CircuitState, Circuits, permitOf, retryIn } from './circuit.ts';
import { type BreakerOptions, readBreakerOptions } from './options.ts';
import type { Connection, SharedCircuit, Sharing } from './sharing.ts';

export interface CircuitInfo {
  readonly state: CircuitState;
  /** Wall time in ms from which on a probe is let through. */
  readonly retryAt?: number;
}

export interface Breaker extends Policy {
  /** The circuit of each origin (or key) that was called. */
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
 * Refuses calls to an origin that keeps failing, and probes it now and then. One circuit per origin; no timers but those of
 * calls that wait, because a worker may never run one: time is compared at the next call.
 *
 * Failures are network errors, time-outs, 408, 5xx but 501 and 505, and bodies that break off. The caller's abort, our
 * own refusals, other 4xx and 429 are neutral. The response that opens the circuit is still the caller's.
 *
 * @throws {CircuitOpenError} while the circuit is open; nothing was sent.
 * @see Nygard, Release It!, 2nd ed., ch. 5.
 */
export function breaker(options: BreakerOptions = {}): Breaker {
  const settings = readBreakerOptions(options);
  const { probe, probeTimeout, share, slowAfter, whenOpen } = settings;
  const keyOf = settings.key ?? ((_: Request, call: Call): string => call.origin);
  const listeners = new Set<(change: CircuitChange) => void>();
  /** Calls that wait, to be told that it may be their turn. */
  const waiting = new Map<string, Set<() => void>>();
  // Set by the first pipeline: `states()` needs the time, and is asked outside any call.
  let clock: Clock | undefined;
  let connection: Connection | undefined;
  // What is heard is not told again.
  let hearing = false;
  /** Everybody who lives with this breaker is told of its changes. */
  const emitters = new Set<NonNullable<Home['emit']>>();

  const circuits = new Circuits(settings, (key, { is: from }, to) => {
    wake(key);
    if (from === to.is) return;
    for (const emit of emitters) emit({ type: 'circuit', origin: key, from, to: to.is });
    for (const listener of listeners) tell(listener, { origin: key, from, to: to.is });
    if (!hearing) connection?.tell(shareable(key, to));
  });

  function wake(key: string): void {
    const calls = waiting.get(key);
    if (!calls) return;
    waiting.delete(key);
    for (const call of calls) call();
  }

  const shareable = (key: string, circuit: Circuit): SharedCircuit => {
    const { is, times } = circuit;
    const now = clock?.ticks() ?? 0;
    const left = is === 'half-open' ? Math.max(0, circuit.permit - now) : retryIn(circuit, now);
    return { key, is, times, left };
  };

  const heard = ({ key, is, left, times, later = 0 }: SharedCircuit): void => {
    const now = clock?.ticks() ?? 0;
    const known = circuits.get(key);
    hearing = true;
    if (is === 'isolated') circuits.set(key, { is, times });
    else if (is === 'closed') {
      if (known.is !== 'closed') circuits.close(key, now);
    } else if (left > 0 && known.is !== 'isolated') {
      // Two who probe at once do not stop each other.
      const most = is === 'open' ? settings.maxOpenFor * 1.2 : known.is === 'half-open' ? 0 : probeTimeout;
      if (most > 0) circuits.set(key, { is: 'open', until: now + Math.min(left, most) + later, times });
    }
    hearing = false;
  };

  const connect = (home: Home, share: Sharing): void => {
    connection = share.connect(heard, () =>
      [...circuits.entries()]
        .map(([key, circuit]) => shareable(key, circuit))
        .filter((circuit) => circuit.is !== 'closed'),
    );
    home.onClose(() => {
      connection?.close();
      connection = undefined;
    });
  };

  /** `https://a.example/` is meant for its origin. */
  const known = (origin: string): string =>
    settings.key || !URL.canParse(origin) ? origin : new URL(origin).origin;

  const policy: Policy = (next, home) => {
    const { emit } = home;
    clock ??= home.host.clock;
    if (emit) {
      emitters.add(emit);
      home.onClose(() => emitters.delete(emit));
    }

    /** Asks the URL that was named, one request after the other, until the circuit opens or closes. */
    const ask = async (url: string, key: string, seen: Circuit, call: Call): Promise<void> => {
      const own = aborter();
      const { origin, host } = call;
      const { clock } = host;
      const unfollow = follow(home.signal, own.abort);
      const background = home.background({
        origin,
        partition: call.partition,
        options: {},
        signal: own.signal,
      });
      while (circuits.get(key) === seen) {
        const cancel = clock.after(probeTimeout, () => own.abort(new DOMException('', 'TimeoutError')));
        let well = false;
        try {
          const response = await next(new Request(new URL(url, origin)), background);
          well = !isOriginFailure(response.status);
          dropBody(response);
        } catch {
          // Whatever it was, the origin did not answer.
        }
        cancel();
        if (home.signal.aborted) break;
        if (well) circuits.succeeded(key, seen, host, false);
        else circuits.failed(key, seen, host, { permit: Infinity, began: clock.ticks() });
        connection?.during?.(call);
      }
      unfollow();
    };

    /** A place for the call, or its refusal. */
    const enter = (key: string, call: Call): Circuit => {
      const { clock } = call.host;
      const now = clock.ticks();
      const seen = circuits.admit(key, now);
      if (seen && (seen.is !== 'half-open' || probe === undefined)) return seen;
      // The permit is the probe's; users' calls stay outside.
      if (seen && probe !== undefined) {
        (seen as { permit: number }).permit = Infinity;
        call.waitUntil(ask(probe, key, seen, call));
      }
      throw refusal(call, retryIn(circuits.get(key), now));
    };

    /** Waits until it may be the call's turn. @throws what there is to throw at once. */
    const turn = (key: string, call: Call, refused: unknown): Promise<void> => {
      const { clock } = call.host;
      const now = clock.ticks();
      const circuit = circuits.get(key);
      const until = mayChange(circuit);
      if (circuit.is === 'isolated' || (circuit.is === 'open' && until >= (call.deadline ?? Infinity)))
        return Promise.reject(refused);
      return new Promise((resolve, reject) => {
        const calls = waiting.get(key) ?? new Set();
        waiting.set(key, calls);
        const end = (settle: () => void) => (): void => {
          calls.delete(awake);
          cancel();
          unfollow();
          settle();
        };
        const awake = end(resolve);
        const cancel = clock.after(Math.max(0, until - now), awake);
        calls.add(awake);
        const unfollow = follow(call.signal, (reason) => end(() => reject(reason))());
      });
    };

    const wait = async (request: Request, key: string, call: Call, refused: unknown): Promise<Response> => {
      call.emit?.({ type: 'waiting', callId: call.id, origin: call.origin, for: 'circuit' });
      for (let reason = refused; ; ) {
        await turn(key, call, reason);
        let seen: Circuit;
        try {
          seen = enter(key, call);
        } catch (again) {
          reason = again;
          continue;
        }
        return through(request, call, key, seen);
      }
    };

    const through = (request: Request, call: Call, key: string, seen: Circuit): Promise<Response> => {
      const { host } = call;
      const permit = permitOf(seen);
      // That it probes.
      if (permit) connection?.during?.(call);
      const began = host.clock.ticks();
      const isSlow = (): boolean => slowAfter !== Infinity && host.clock.ticks() - began > slowAfter;
      const readmit = (): void => {
        const circuit = circuits.get(key);
        if (circuit !== seen && circuit.is !== 'closed')
          throw refusal(call, retryIn(circuit, host.clock.ticks()));
      };
      const settled = (how: 'succeeded' | 'failed' | 'neutral', unreached = false): void => {
        if (how === 'succeeded') circuits.succeeded(key, seen, host, isSlow());
        else if (how === 'failed')
          circuits.failed(key, seen, host, { began, permit, unreached, slow: isSlow() });
        else circuits.neutral(key, seen, permit);
        // A place or the permit may be free.
        if (waiting.size > 0) wake(key);
        connection?.during?.(call, how === 'failed');
      };
      return next(request, { ...call, readmit }).then(
        (response) => {
          if (isOriginFailure(response.status)) settled('failed');
          else if (response.status === 429) settled('neutral');
          else {
            settled('succeeded');
            watchBody(response, {
              settled: (how: Ending, error?: unknown) => {
                if (how !== 'broken' || !countsAgainst(error, call)) return;
                circuits.failed(key, seen, host, { began: host.clock.ticks(), permit, late: true });
              },
            });
          }
          return response;
        },
        (error) => {
          settled(
            countsAgainst(error, call) ? 'failed' : 'neutral',
            isFailure(error) && error.category === 'network',
          );
          throw error;
        },
      );
    };

    return (request, call) => {
      if (share) {
        if (!connection && (share.inCalls || (call.host.sharesIO && !home.signal.aborted)))
          connect(home, share);
        connection?.during?.(call);
      }
      const key = keyOf(request, call);
      let seen: Circuit;
      try {
        seen = enter(key, call);
      } catch (error) {
        return whenOpen === 'wait' && call.host.sharesIO
          ? wait(request, key, call, error)
          : Promise.reject(error);
      }
      return through(request, call, key, seen);
    };
  };

  return Object.assign(named('breaker', policy, { switchOnly: true }), {
    states() {
      const now = clock?.ticks() ?? 0;
      const states: Record<string, CircuitInfo> = {};
      for (const [key, circuit] of circuits.entries()) {
        const left = circuit.is === 'closed' ? 0 : retryIn(circuit, now);
        states[key] = {
          state: circuit.is,
          ...(left && clock && { retryAt: Math.ceil(clock.now() + left) }),
        };
      }
      return states;
    },
    isolate(origin: string) {
      circuits.set(known(origin), { is: 'isolated', times: 0 });
    },
    reset(origin?: string) {
      for (const each of origin === undefined ? [...circuits.entries()].map(([key]) => key) : [known(origin)])
        circuits.reset(each);
    },
    subscribe(listener: (change: CircuitChange) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });
}

/** When, in ticks, a circuit may change by time alone. */
const mayChange = (circuit: Circuit): number =>
  circuit.is === 'open'
    ? circuit.until
    : circuit.is === 'half-open'
      ? circuit.permit
      : circuit.is === 'closed' && circuit.pace
        ? circuit.pace.until
        : Infinity;

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
