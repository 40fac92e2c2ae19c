import type { Clock, Handler, Home } from '../../core/contract.ts';
import type { Stage } from '../../core/stage.ts';
import { tell } from '../../core/tell.ts';
import type { CircuitState } from './circuit.ts';
import type { Extension } from './extension.ts';
import { type CircuitInfo, ManagedCircuits } from './managed-circuits.ts';
import { type BreakerOptions, readBreakerOptions } from './options.ts';
import { probeOrigin } from './probe.ts';
import { remoteCircuits } from './remote.ts';
import { slowCalls } from './slow-calls.ts';
import { breakerStage } from './stage.ts';

export interface Breaker extends Stage {
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
  const { probe, probeTimeout, share, slowAfter } = settings;
  const listeners = new Set<(change: CircuitChange) => void>();
  /** What is inside the breaker, by pipeline. */
  const insides = new WeakMap<Home, Handler>();
  // Set by the first pipeline: `states()` needs the time, and is called outside any call.
  let clock: Clock | undefined;

  const circuits = new ManagedCircuits(settings);
  const slow = slowAfter === Infinity ? undefined : slowCalls(settings, circuits);
  const remote = share && remoteCircuits(share, circuits, settings, () => clock?.ticks() ?? 0);
  // The circuit of a path may come from outside.
  if (remote) circuits.hasPaths = true;

  const extension: Extension = {
    attach(home, inside) {
      clock ??= home.host.clock;
      insides.set(home, inside);
    },
    enter: (run) => remote?.enter(run.home, run.call),
    probe(circuit, run) {
      const inside = insides.get(run.home);
      if (probe === undefined || !inside) return false;
      const probed = (): void => remote?.during(run.call);
      run.call.waitUntil(
        probeOrigin(circuit, run, { url: probe, timeout: probeTimeout, circuits, inside, probed }),
      );
      return true;
    },
    admitted(run, passage) {
      // Another tab or isolate hears that this call is the probe.
      if (passage.permit) remote?.during(run.call);
      slow?.admitted(run, passage);
    },
    ...(slow && { judged: slow.judged }),
    left: ({ call }) => remote?.during(call),
    changed(key, from, to) {
      for (const listener of listeners) tell(listener, { origin: key, from: from.is, to: to.is });
      remote?.tell(key, to);
    },
  };

  return Object.assign(breakerStage(settings, circuits, extension), {
    states: () => circuits.states(clock),
    isolate: (origin: string) => circuits.isolate(origin),
    reset: (origin?: string) => circuits.reset(origin),
    subscribe(listener: (change: CircuitChange) => void) {
      listeners.add(listener);
      return () => void listeners.delete(listener);
    },
  });
}
