import type { Run } from '../../core/stage.ts';

export type CircuitState = 'closed' | 'open' | 'half-open' | 'isolated';

/** The circuit of an origin or a path. Times are ticks, stamps number what happens; see `Circuits.stamp`. */
export interface Circuit {
  readonly key: string;
  is: CircuitState;
  /** The stamp of the last change of state: a result of a run admitted before it is ignored. */
  since: number;
  /** When the next probe may be sent. While the circuit is closed: the next repetition. `Infinity`: it is isolated. */
  probeAt: number;
  /** The stamp of the probe in flight; 0: there is none. */
  probe: number;
  /** When the permit of that probe ends; 0: there is none. */
  permitUntil: number;
  /** Failed calls in a row. Calls in flight together count once. */
  calls: number;
  /** Failed attempts in a row. Attempts in flight together count once. 0: the origin responds. */
  rounds: number;
  /** A stamp from when `calls` last counted: a call admitted before it was in flight together with it. */
  callFailedAt: number;
  /** The same of `rounds`. */
  failedAt: number;
  /** When the first of these failures happened. */
  failingSince: number;
  /** The path of the call that failed last. */
  failedPath: string | undefined;
  /** When a response last followed a failure. */
  recoveredAt: number;
  /** Probes that have succeeded. */
  successes: number;
  /** How often it has opened since a call succeeded that was no probe. */
  reopens: number;
  /** What opened it. */
  reason: OpenReason | undefined;
  slowStart: SlowStart | undefined;
  readonly waiting: Set<Waiting>;
}

/** Just after a circuit has closed, few calls are in flight at a time: one more for each that succeeds. */
export interface SlowStart {
  slots: number;
  /** In ticks. A call that never ends does not keep its slot for longer. */
  readonly endsAt: number;
  /** The stamps of the calls that it counts. */
  readonly inFlight: Set<number>;
}

/** What opened a circuit. */
export interface OpenReason {
  /** Calls in a row that failed; calls in flight together count once. 0: too many were slow. */
  readonly failures: number;
  /** How the last one failed: `'network'`, `'timeout-attempt'`, `'status 503'`, `'slow'`. */
  readonly lastFailure: string;
}

/** A call that waits for a circuit to change. */
export interface Waiting {
  readonly path: string;
  /** It cannot be repeated: a call that can is the better probe. */
  readonly isOnly: boolean;
  /** Ends the wait: the call looks whether it is admitted. */
  look(): void;
}

/** The fields of a circuit that has just changed its state. */
export const INITIAL = {
  probeAt: 0,
  probe: 0,
  permitUntil: 0,
  calls: 0,
  rounds: 0,
  callFailedAt: 0,
  failedAt: 0,
  successes: 0,
  reason: undefined,
  slowStart: undefined,
};

export const newCircuit = (key: string): Circuit => ({
  key,
  is: 'closed',
  since: 0,
  ...INITIAL,
  failingSince: 0,
  failedPath: undefined,
  recoveredAt: -Infinity,
  reopens: 0,
  waiting: new Set(),
});

/** An origin that recovered within this time by itself is flaky and not down, in ms. */
const FLAKY_WINDOW = 30_000;

/** How long the last attempt of a call waits for a silent origin, in ms: most interruptions are over by then. */
const LAST_ATTEMPT_WAIT = 4_000;

/**
 * Whether a run needs the permit. While an origin does not respond, one repetition at a time is its probe. To the circuit of a
 * path every run is a first attempt: only an origin as a whole is silent.
 *
 * @param run Absent: a first attempt.
 */
export const isProbe = ({ is, rounds, key }: Circuit, run?: Run): boolean =>
  is !== 'closed' || (rounds > 0 && run !== undefined && run.attempt > 1 && run.origin === key);

/** When the circuit admits a run, unless its state changes; not after `now`: at once. A full slow start admits none until its end. */
export function freeAt(circuit: Circuit, now: number, run?: Run): number {
  const { is, probeAt, permitUntil, slowStart } = circuit;
  if (is !== 'closed') return Math.max(probeAt, permitUntil);
  let at = 0;
  if (run && isProbe(circuit, run)) {
    const isLast = run.call.attemptsLeft === 0 && run.attempt > 2;
    // An origin that recovers again and again is flaky: there a repetition waits for the one in flight alone.
    at =
      now - circuit.recoveredAt < FLAKY_WINDOW
        ? permitUntil
        : Math.max(probeAt, permitUntil, isLast ? circuit.failingSince + LAST_ATTEMPT_WAIT : 0);
  }
  return at <= now && slowStart && slowStart.inFlight.size >= slowStart.slots ? slowStart.endsAt : at;
}

/** Releases the permit and the slot of a run. */
export function release(circuit: Circuit, stamp: number): void {
  circuit.slowStart?.inFlight.delete(stamp);
  if (circuit.probe === stamp) circuit.permitUntil = circuit.probe = 0;
  wake(circuit);
}

/**
 * Lets all calls that wait for a circuit look again. The first one may become the probe: a call to another path than
 * the one that failed last, so that one broken path does not hold up the others; and one that can be repeated.
 */
export function wake({ waiting, failedPath }: Circuit): void {
  if (waiting.size === 0) return;
  const rank = ({ path, isOnly }: Waiting): number => (path === failedPath ? 2 : 0) + (isOnly ? 1 : 0);
  for (const each of [...waiting].sort((a, b) => rank(a) - rank(b))) each.look();
}

/** How long a probe usually takes, in ms. */
const PROBE_DURATION = 1_000;

/** Milliseconds until it makes sense to come back; 0: unknown. */
export function retryIn({ is, probeAt, permitUntil, slowStart }: Circuit, now: number): number {
  if (is === 'open') return Math.max(0, probeAt - now);
  if (is === 'half-open') return Math.max(0, Math.min(PROBE_DURATION, permitUntil - now));
  return slowStart ? PROBE_DURATION : 0;
}
