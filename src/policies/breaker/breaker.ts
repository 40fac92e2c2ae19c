import type { Clock, Handler, PipelineContext } from '../../core/contract.ts';
import { composeWrappers } from '../../core/run/compose-wrappers.ts';
import type { Stage } from '../../core/stage.ts';
import { Background } from '../../primitives/background.ts';
import { Emitter } from '../../primitives/emitter.ts';
import type { Duration } from '../../primitives/units.ts';
import {
  between,
  durationOrFalse,
  readSettings,
  rule,
  settingsTable,
  withMethods,
} from '../../primitives/validate.ts';
import type { Extension } from './admission.ts';
import type { CircuitState } from './circuit.ts';
import { type CircuitInfo, ManagedCircuits } from './managed-circuits.ts';
import { type PlainBreakerOptions, plainTable, withIntervals } from './plain-options.ts';
import { probeOrigin } from './probe.ts';
import { remoteCircuits } from './remote.ts';
import type { Sharing } from './sharing.ts';
import { slowCalls } from './slow-calls.ts';
import { breakerHooks, breakerStage, countsAgainst } from './stage.ts';

export interface BreakerOptions extends PlainBreakerOptions {
  /** A call whose headers take longer is slow. Default `false`: none is. */
  readonly slowAfter?: Duration | false;
  /** Share of slow calls, from 0 to 1, among at least 10 within 30 s, that opens the circuit. Default 0.5. */
  readonly slowRate?: number;
  /** Requested (GET) instead of letting a call of the application be the probe; relative to the origin. Default: none. */
  readonly probe?: string;
  /** Shares circuits with other tabs or isolates: `betweenTabs()`, `betweenIsolates(binding)`. Default: none. */
  readonly share?: Sharing;
}

const table = /* @__PURE__ */ settingsTable({
  ...plainTable,
  slowAfter: [Infinity, durationOrFalse],
  slowRate: [0.5, between(0, 1)],
  probe: [
    undefined,
    rule<string>(
      "a URL, such as '/health'",
      (value) => typeof value === 'string' && URL.canParse(value, 'https://a.example'),
    ),
  ],
  share: [undefined, withMethods<Sharing>('what shares circuits, such as betweenTabs()', 'connect')],
});

const readBreakerOptions = (options: BreakerOptions) =>
  withIntervals(options, readSettings('breaker', table, options));

export interface Breaker extends Stage {
  /**
   * The circuits: of each origin that was called, by its origin; of each path (or key) that responded with 408 or 5xx, by its
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
 *
 * @example
 * const circuits = breaker({ failures: 3, probe: '/health' });
 * const fetch = createFetch({ breaker: circuits });
 * circuits.isolate('https://api.example.com');
 */
export function breaker(options: BreakerOptions = {}): Breaker {
  const settings = readBreakerOptions(options);
  const { probe, probeTimeout, share, slowAfter } = settings;
  const changes = new Emitter<CircuitChange>();
  /** The handler inside the breaker, by pipeline. */
  const insides = new WeakMap<PipelineContext, Handler>();
  // Set by the first pipeline: `states()` needs the time, and is called outside any call.
  let clock: Clock | undefined;

  const circuits = new ManagedCircuits(settings);
  const slow = slowAfter === Infinity ? undefined : slowCalls(settings, circuits);
  const remote = share && remoteCircuits(share, circuits, settings, () => clock?.ticks() ?? 0);

  const extension: Extension = {
    probe(circuit, run) {
      const inside = insides.get(run.pipeline);
      if (probe === undefined || !inside) return false;
      const probed = (): void => remote?.during(run.call);
      run.call.waitUntil(
        probeOrigin(circuit, run, { url: probe, timeout: probeTimeout, circuits, inside, probed }),
      );
      return true;
    },
    admitted(run, passage) {
      // Broadcast that this call is the probe.
      if (passage.circuit?.probe === passage.stamp) remote?.during(run.call);
      slow?.sent(run, passage);
    },
    changed(circuit, from) {
      changes.emit({ origin: circuit.key, from, to: circuit.is });
      remote?.broadcast(circuit);
    },
  };

  const plain = breakerHooks(settings, circuits, extension);
  const policy = breakerStage(
    {
      ...plain,
      attach(pipeline, inside) {
        clock ??= pipeline.host.clock;
        insides.set(pipeline, inside);
        plain.attach(pipeline, inside);
      },
      enter(run) {
        remote?.enter(run.pipeline, run.call);
        return plain.enter(run);
      },
      recheck(run, passage) {
        // It comes out of a queue.
        slow?.sent(run, passage);
        return plain.recheck(run, passage);
      },
      leave(run, passage) {
        const { circuit } = passage;
        const work = plain.leave(run, passage);
        if (slow && circuit && (run.response || countsAgainst(run))) {
          slow.evaluated(run, circuit, passage);
          if (passage.path) slow.evaluated(run, passage.path, passage);
        }
        remote?.during(run.call);
        return work;
      },
    },
    { compose: composeWrappers, Background },
  );

  return Object.assign(policy, {
    states: () => circuits.states(clock),
    isolate: (origin: string) => circuits.isolate(origin),
    reset: (origin?: string) => circuits.reset(origin),
    subscribe: (listener: (change: CircuitChange) => void) => changes.subscribe(listener),
  });
}
