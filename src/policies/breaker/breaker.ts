import { within } from '../../core/clock.ts';
import { type Call, type Clock, type Home, named, type Policy, type Wrapper } from '../../core/contract.ts';
import { CircuitOpenError, isFailure, saysNetwork } from '../../core/errors.ts';
import { tell } from '../../core/tell.ts';
import { isOriginFailure } from '../../http/status.ts';
import {
  type Applicant,
  applicantFor,
  type Circuit,
  type CircuitState,
  FIRST,
  permitOf,
  retryIn,
} from './circuit.ts';
import { Circuits } from './circuits.ts';
import { type BreakerOptions, readBreakerOptions } from './options.ts';
import { probeOrigin } from './probe.ts';
import { remoteCircuits } from './remote.ts';
import { WaitingRoom } from './waiting.ts';

export interface CircuitInfo {
  readonly state: CircuitState;
  /** Wall time in ms from which on a probe is let through. */
  readonly retryAt?: number;
}

export interface Breaker extends Wrapper {
  /**
   * The circuits: of each origin that was called, by its origin; of each path (or key) that answered 408 or 5xx, by its
   * URL without query.
   */
  states(): Record<string, CircuitInfo>;
  /** Rejects all calls to an origin until `reset`. */
  isolate(origin: string): void;
  /** Closes the circuit of an origin, or all circuits, and drops what was counted. */
  reset(origin?: string): void;
  /** @returns ends the subscription. */
  subscribe(listener: (change: CircuitChange) => void): () => void;
}

export interface CircuitChange {
  readonly origin: string;
  readonly from: CircuitState;
  readonly to: CircuitState;
}

/** The right to send, from one circuit. */
interface Pass {
  readonly key: string;
  readonly circuit: Circuit;
  readonly permit: number;
}

/** From the circuit of the origin, and from that of the path if it has one. */
interface Passes {
  readonly origin: Pass;
  readonly path: Pass | undefined;
}

/**
 * Protects an origin that is down, and its callers: while the circuit is open, calls wait for one probe instead of being
 * sent, and are rejected when that takes too long, or at once if a cached response stands in.
 *
 * A circuit opens on evidence that the origin is down, not that it is flaky. Network errors and time-outs count against the
 * circuit of the origin, and any response counts for it. 408 and 5xx (but 501 and 505) count against a circuit of their
 * path. The caller's abort, rejections of other policies and 429 count for nothing. The response that opens the circuit is
 * still the caller's.
 *
 * While an origin does not respond at all, repetitions are sent one at a time, also before the circuit opens.
 *
 * @throws {CircuitOpenError} after `maxWait`; nothing was sent.
 * @see Nygard, Release It!, 2nd ed., ch. 5.
 */
export function breaker(options: BreakerOptions = {}): Breaker {
  const settings = readBreakerOptions(options);
  const { key: keyOf = pathOf, maxWait, probe, probeTimeout, share, slowAfter } = settings;
  const listeners = new Set<(change: CircuitChange) => void>();
  const room = new WaitingRoom(maxWait);
  // Set by the first pipeline: `states()` needs the time, and is called outside any call.
  let clock: Clock | undefined;
  // Paths have circuits from their first failure on; until then, looking for one costs nothing.
  let hasPaths = false;
  const emitters = new Set<NonNullable<Home['emit']>>();

  const circuits = new Circuits(settings, (key, { is: from }, to) => {
    room.wake(key, circuits.failedPath(key));
    if (from === to.is) return;
    for (const emit of emitters)
      emit({ type: 'circuit', origin: key, from, to: to.is, ...(to.is === 'open' && to.reason) });
    for (const listener of listeners) tell(listener, { origin: key, from, to: to.is });
    remote?.tell(key, to);
  });
  const remote = share && remoteCircuits(share, circuits, settings, () => clock?.ticks() ?? 0);

  /** The key of a circuit; `https://a.example/` is meant for its origin. */
  const known = (origin: string): string =>
    settings.key || circuits.has(origin) || !URL.canParse(origin) ? origin : new URL(origin).origin;

  const policy: Wrapper = (next, home) => {
    const { emit } = home;
    clock ??= home.host.clock;
    if (emit) {
      emitters.add(emit);
      home.onClose(() => emitters.delete(emit));
    }

    const passOf = (key: string, call: Call, applicant: Applicant): Pass | undefined => {
      const circuit = circuits.admit(key, call.host.clock.ticks(), applicant);
      if (!circuit) return undefined;
      if (circuit.is !== 'half-open' || probe === undefined || key !== call.origin)
        return { key, circuit, permit: permitOf(circuit, applicant) };
      // The permit is the probe URL's; calls of the application stay outside.
      circuit.permit = Infinity;
      const probed = (): void => remote?.during(call);
      const target = { url: probe, timeout: probeTimeout, circuits, next, home, probed };
      call.waitUntil(probeOrigin(key, circuit, call, target));
      return undefined;
    };

    /** The key of the circuit for 408 and 5xx. */
    const pathKey = (request: Request, call: Call): string =>
      hasPaths || remote || settings.key ? keyOf(request, call) : call.origin;

    /** @returns the key of the circuit that does not let the call go. */
    const enter = (key: string, call: Call, own: Applicant): Passes | string => {
      let path: Pass | undefined;
      if (key !== call.origin && circuits.has(key)) {
        path = passOf(key, call, FIRST);
        if (!path) return key;
      }
      const origin = passOf(call.origin, call, own);
      if (origin) return { origin, path };
      if (path) circuits.release(key, path.circuit, path.permit);
      return call.origin;
    };

    /** Whether waiting brings nothing. A call that has a response does not wait for its path to give a better one. */
    const isHopeless = (key: string, call: Call, now: number, deadline: number): boolean =>
      now >= deadline ||
      !circuits.mayChangeBy(deadline, key) ||
      (call.hasResponse === true && key !== call.origin && circuits.get(key).is !== 'closed');

    const wait = (request: Request, call: Call, blocked: string): Promise<Response> => {
      const now = call.host.clock.ticks();
      const deadline = room.deadlineOf(call);
      const isOver =
        circuits.get(blocked).is === 'closed'
          ? maxWait > 0 && now >= deadline
          : isHopeless(blocked, call, now, deadline);
      if (isOver) return Promise.reject(rejected(blocked, call));
      return released(request, call, blocked, deadline);
    };

    /** Sends the call when a circuit lets it go. @throws {CircuitOpenError} if none does by the deadline, in ticks. */
    const released = async (
      request: Request,
      call: Call,
      blocked: string,
      deadline: number,
    ): Promise<Response> => {
      const { host, id: callId, origin, emit } = call;
      const { clock } = host;
      const began = clock.ticks();
      // While the circuit is closed a repetition waits for others, but not so long that its own time is up; then it is sent,
      // unless one of the others has failed.
      const latest = Math.min(deadline, began + ((call.deadline ?? Infinity) - began) / 2);
      const rounds = circuits.rounds(origin);
      const own = (now: number): Applicant =>
        now >= latest && circuits.rounds(origin) === rounds ? FIRST : applicantFor(call);
      if (latest > began && (await standsIn(call))) throw rejected(blocked, call);
      emit?.({ type: 'waiting', callId, origin, for: 'circuit' });
      for (let key = blocked; ; ) {
        const now = clock.ticks();
        const isClosed = circuits.get(key).is === 'closed';
        if (now < latest || !isClosed) {
          if (isHopeless(key, call, now, deadline)) throw rejected(key, call);
          const freeAt = circuits.freeAt(key, now, key === origin ? own(now) : FIRST);
          const until = Math.min(freeAt, isClosed ? latest : deadline);
          await room.change(key, until - now, keyOf(request, call), call, () => circuits.failedPath(key));
        }
        const passes = enter(pathKey(request, call), call, own(clock.ticks()));
        if (typeof passes !== 'string') {
          emit?.({ type: 'released', callId, origin, for: 'circuit', waited: clock.ticks() - began });
          return send(request, call, passes);
        }
        if (clock.ticks() >= latest && circuits.get(passes).is === 'closed') throw rejected(passes, call);
        key = passes;
      }
    };

    const rejection = (key: string, { host, id: callId, origin }: Call): CircuitOpenError => {
      const circuit = circuits.get(key);
      const left = retryIn(circuit, host.clock.ticks());
      const retryAt = left ? Math.ceil(host.clock.now() + left) : undefined;
      return new CircuitOpenError({ callId, origin, retryAt }, { key, is: circuit.is, ...reasonOf(circuit) });
    };

    const emitted = (error: CircuitOpenError, { id: callId, origin, emit }: Call): CircuitOpenError => {
      emit?.({ type: 'refused', callId, origin, code: 'circuit-open', retryAt: error.retryAt });
      return error;
    };

    const rejected = (key: string, call: Call): CircuitOpenError => emitted(rejection(key, call), call);

    const send = (request: Request, call: Call, passes: Passes): Promise<Response> => {
      const { host } = call;
      const { origin, path } = passes;
      // Another tab or isolate hears that this call is the probe.
      if (origin.permit) remote?.during(call);
      const began = circuits.stamp();
      const since = slowAfter === Infinity ? 0 : host.clock.ticks();
      const repeats = call.attempt > 1;
      const isSlow = (): boolean => slowAfter !== Infinity && host.clock.ticks() - since > slowAfter;
      let recheck: CircuitOpenError | undefined;
      const readmit = (): void => {
        const key = changedSince(passes, request, call);
        if (key === undefined) return;
        recheck = rejection(key, call);
        throw recheck;
      };
      const succeed = ({ key, circuit }: Pass): void =>
        circuits.succeeded(key, circuit, host, isSlow(), room.count(key));
      const fail = ({ key, circuit, permit }: Pass, cause: string): void =>
        circuits.failed(key, circuit, host, {
          began,
          permit,
          repeats,
          slow: isSlow(),
          cause,
          path: keyOf(request, call),
        });
      const release = ({ key, circuit, permit }: Pass): void => circuits.release(key, circuit, permit);
      const settled = (): void => {
        // A slot or the permit may be free.
        room.wake(origin.key, circuits.failedPath(origin.key));
        if (path) room.wake(path.key);
        remote?.during(call);
      };

      let isSent = false;
      const guard = (): void => {
        call.guard?.();
        isSent = true;
      };

      return next(request, { ...call, readmit, guard }).then(
        (response) => {
          const { status } = response;
          if (isOriginFailure(status)) {
            const key = keyOf(request, call);
            hasPaths = true;
            if (key === origin.key) fail(origin, `status ${status}`);
            else {
              succeed(origin);
              fail(path ?? { key, circuit: circuits.get(key), permit: 0 }, `status ${status}`);
            }
            settled();
            return response;
          }
          succeed(origin);
          // A path may have got its circuit since the call was sent.
          const own = path ?? (hasPaths ? lateCircuit(keyOf(request, call)) : undefined);
          if (own && status !== 429) succeed(own);
          else if (path) release(path);
          settled();
          return response;
        },
        (error) => {
          const counts = isSent && countsAgainst(error, call);
          if (counts) fail(origin, isFailure(error) ? error.code : 'network');
          else release(origin);
          if (path) release(path);
          settled();
          if (!recheck || error !== recheck) throw error;
          // The circuit opened while the call waited further in. Nothing was sent: the call waits here.
          if (maxWait > 0 && recheck.circuit) return wait(request, call, recheck.circuit.key);
          throw emitted(recheck, call);
        },
      );
    };

    const lateCircuit = (key: string): Pass | undefined => {
      if (!circuits.has(key)) return undefined;
      const circuit = circuits.get(key);
      return circuit.is === 'closed' ? { key, circuit, permit: 0 } : undefined;
    };

    /** The key of a circuit that has opened since the call was let go. */
    const changedSince = ({ origin, path }: Passes, request: Request, call: Call): string | undefined => {
      const hasOpened = (key: string, seen: Circuit | undefined): boolean =>
        circuits.has(key) && circuits.get(key) !== seen && circuits.get(key).is !== 'closed';
      if (hasOpened(origin.key, origin.circuit)) return origin.key;
      const key = pathKey(request, call);
      return key !== origin.key && hasOpened(key, path?.circuit) ? key : undefined;
    };

    return (request, call) => {
      remote?.enter(home, call);
      const passes = enter(pathKey(request, call), call, applicantFor(call));
      return typeof passes === 'string' ? wait(request, call, passes) : send(request, call, passes);
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
      circuits.set(known(origin), { is: 'isolated', reopens: 0 });
      hasPaths = true;
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

const pathOf = ({ url }: Request): string => {
  const end = url.search(/[?#]/);
  return end < 0 ? url : url.slice(0, end);
};

const reasonOf = (circuit: Circuit) => (circuit.is === 'closed' ? {} : (circuit.reason ?? {}));

/** How long the cache may look for a cached response, in ms. */
const LOOK = 2_000;

/** Whether a cached response can take the place of a response. A policy that cannot tell in time has none. */
const standsIn = async (call: Call): Promise<boolean> =>
  call.standsIn !== undefined &&
  within(LOOK, call, call.standsIn()).catch(() => call.signal.throwIfAborted() ?? false);

/** The network, or the origin's silence. Else it was the caller's abort, a rejection of ours, or a bug in a transport. */
const countsAgainst = (error: unknown, { signal }: Call): boolean =>
  isFailure(error)
    ? error.category === 'network' || error.category === 'timeout'
    : saysNetwork(error) && error !== signal.reason;
