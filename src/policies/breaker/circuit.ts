import type { CircuitOpenError } from '../../core/errors.ts';
import type { Run } from '../../core/stage.ts';

export type CircuitState = 'closed' | 'open' | 'half-open' | 'isolated';

/** The circuit of an origin or a path. Times are ticks, stamps number what happens; see `Circuits.stamp`. */
export interface Circuit {
  readonly key: string;
  is: CircuitState;
  /** The stamp of the last change of state: a result of what was let go before is ignored. */
  since: number;
  /** The next probe; while the circuit is closed, the next repetition. `Infinity`: it is isolated. */
  from: number;
  /** The stamp of the probe in flight, and when its permit ends; 0: none is. */
  probe: number;
  until: number;
  /** Failed calls in a row, and failed attempts; those in flight together count once. No round: the origin responds. */
  calls: number;
  rounds: number;
  /** The stamps of the last of each. */
  callFailedAt: number;
  failedAt: number;
  /** When the first of them failed, when the last failure was, and the path of its call. */
  failingSince: number;
  lastFailedAt: number;
  failedPath: string | undefined;
  /** When a response last followed a failure. */
  recoveredAt: number;
  /** Probes that have succeeded. */
  successes: number;
  /** How often it has opened without a success in between, but for those of probes. */
  reopens: number;
  /** What opened it. */
  reason: OpenReason | undefined;
  slowStart: SlowStart | undefined;
  waiting: Set<Waiting> | undefined;
}

/** What opened a circuit. */
export interface OpenReason {
  /** Calls in a row that failed; calls in flight together count once. 0: too many were slow. */
  readonly failures: number;
  /** How the last one failed: `'network'`, `'timeout-attempt'`, `'status 503'`, `'slow'`. */
  readonly lastFailure: string;
}

/** While a circuit has only just closed: calls in flight, how many may be, and when it ends. */
export interface SlowStart {
  readonly inFlight: Set<number>;
  allowed: number;
  readonly until: number;
}

/** A call that waits for a circuit to change. */
export interface Waiting {
  readonly path: string;
  /** It cannot be repeated: a call that can is the better probe. */
  readonly isOnly: boolean;
  look(): void;
}

/** What a breaker remembers of one run. */
export interface Passage {
  /** Given when the run was let go: its permits and slots are known by it. */
  stamp: number;
  /** Of the origin; and of the path, if it has one. Absent while the run waits. */
  circuit: Circuit | undefined;
  path: Circuit | undefined;
  /** What `recheck` rejected the run with. */
  rejection: CircuitOpenError | undefined;
}

/** What a circuit has when it changes its state. */
export const AT_FIRST = {
  from: 0,
  probe: 0,
  until: 0,
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
  ...AT_FIRST,
  failingSince: 0,
  lastFailedAt: -Infinity,
  failedPath: undefined,
  recoveredAt: -Infinity,
  reopens: 0,
  waiting: undefined,
});

/** An origin that recovered within this time by itself is flaky and not down, in ms. */
const FLAKY_FOR = 30_000;

/** The last attempt of a call waits so long for an origin that has gone silent, in ms: most blips are over by then. */
const LAST_ATTEMPT = 4_000;

/**
 * Whether a run needs the permit. While an origin does not respond, one repetition at a time is its probe.
 *
 * @param run Absent: a first attempt.
 */
export const isProbe = ({ is, rounds }: Circuit, run?: Run): boolean =>
  is !== 'closed' || (rounds > 0 && run !== undefined && run.attempt > 1);

/** When the circuit lets a run go by time alone; not after `now`: it is free to go. */
export function freeAt(circuit: Circuit, now: number, run?: Run): number {
  const { is, from, until, slowStart } = circuit;
  if (is !== 'closed') return Math.max(from, until);
  let at = 0;
  if (run && isProbe(circuit, run)) {
    const isLast = run.attemptsLeft === 0 && run.attempt > 2;
    // An origin that recovers again and again is flaky: there a repetition waits for the one in flight alone.
    at =
      now - circuit.recoveredAt < FLAKY_FOR
        ? until
        : Math.max(from, until, isLast ? circuit.failingSince + LAST_ATTEMPT : 0);
  }
  // Calls that never end do not keep their slots for ever.
  return at <= now && slowStart && slowStart.inFlight.size >= slowStart.allowed ? slowStart.until : at;
}

/** Gives back what a run holds, if anything. */
export function release(circuit: Circuit, stamp: number): void {
  circuit.slowStart?.inFlight.delete(stamp);
  if (circuit.probe === stamp) circuit.until = circuit.probe = 0;
}

/** A probe in flight should be answered within this time, in ms. */
const PROBE_ANSWERS = 1_000;

/** Milliseconds until it makes sense to come back; 0: unknown. */
export function retryIn({ is, from, until, slowStart }: Circuit, now: number): number {
  if (is === 'open') return Math.max(0, from - now);
  if (is === 'half-open') return Math.max(0, Math.min(PROBE_ANSWERS, until - now));
  return slowStart ? PROBE_ANSWERS : 0;
}
