import type { CircuitOpenError } from '../../core/errors.ts';
import type { Run } from '../../core/stage.ts';

/** A circuit. Its identity is compared when a result comes back, so that a result of an earlier state is ignored. */
export type Circuit = Closed | Open | HalfOpen | Isolated;

export interface Closed {
  readonly is: 'closed';
  /** Failed calls in a row; calls in flight together count once. */
  calls: number;
  /** The stamp of the last of them; see `Circuits.stamp`. */
  callFailedAt: number;
  /** Failed attempts in a row; attempts in flight together count once. 0: the origin responds. */
  rounds: number;
  /** When the first of them failed, in ticks, and the stamp of the last. */
  failingSince: number;
  failedAt: number;
  /** No call is repeated before, in ticks. */
  repeatFrom: number;
  /** When the repetition that is in flight gives its permit back, in ticks; 0: none is. */
  permit: number;
  /** When a response last followed a failure, in ticks. */
  recoveredAt: number;
  /** The last failure: when, in ticks, and the path of its call. */
  lastFailedAt: number;
  failedPath: string | undefined;
  /** How often it has opened without a success in between, but for those of probes. */
  reopens: number;
  slowStart: SlowStart | undefined;
}

/** While a circuit has only just closed: calls in flight, how many may be, and when it ends. */
export interface SlowStart {
  inFlight: number;
  allowed: number;
  readonly until: number;
}

interface Open {
  readonly is: 'open';
  readonly until: number;
  readonly reopens: number;
  readonly reason: OpenReason | undefined;
  /** The path of the call that failed last. */
  readonly failedPath?: string | undefined;
}

/** One probe at a time; `permit` is when the one in flight gives it back. */
export interface HalfOpen {
  readonly is: 'half-open';
  permit: number;
  successes: number;
  readonly reopens: number;
  readonly reason: OpenReason | undefined;
  readonly failedPath?: string | undefined;
}

interface Isolated {
  readonly is: 'isolated';
  readonly reopens: number;
  readonly reason?: undefined;
  readonly failedPath?: undefined;
}

export type CircuitState = Circuit['is'];

/** The right to send, from one circuit. */
export interface Pass {
  readonly key: string;
  readonly circuit: Circuit;
  /** 0: the call is no probe. */
  readonly permit: number;
}

/** What a breaker remembers of one run: the pass of the origin, and what else the run has. */
export interface Passage extends Pass {
  readonly path: Pass | undefined;
  /** The stamp that it got when it was let go. */
  readonly began: number;
  readonly repeats: boolean;
  /** The passes have not been given back. */
  isHeld: boolean;
  /** The run has ended, or has gone on without this stage. */
  isOver: boolean;
  /** What `recheck` rejected the run with. */
  rejection: CircuitOpenError | undefined;
}

/** What opened a circuit. */
export interface OpenReason {
  /** Calls in a row that failed; calls in flight together count once. 0: too many were slow. */
  readonly failures: number;
  /** How the last one failed: `'network'`, `'timeout-attempt'`, `'status 503'`, `'slow'`. */
  readonly lastFailure: string;
}

/** What a circuit has to know of a run. */
export interface Applicant {
  /** It has failed before, and is sent again. */
  readonly repeats: boolean;
  /** It has been repeated before, and this is its last attempt. */
  readonly isHeld: boolean;
}

/** What a run is to the circuit of its origin. For that of a path each attempt is a first one: only a whole origin is silent. */
export function applicantFor({ attempt, attemptsLeft }: Run): Applicant {
  if (attempt < 2) return FIRST;
  return attemptsLeft === 0 && attempt > 2 ? HELD : REPEATED;
}

export const FIRST: Applicant = { repeats: false, isHeld: false };
const REPEATED: Applicant = { repeats: true, isHeld: false };
const HELD: Applicant = { repeats: true, isHeld: true };

/** A probe in flight should be answered within this time, in ms. */
const PROBE_ANSWERS = 1_000;

/** The permit of the call that was just let go; 0: it has none. */
export const permitOf = (circuit: Circuit, { repeats }: Applicant): number =>
  circuit.is === 'half-open' || (circuit.is === 'closed' && repeats) ? circuit.permit : 0;

/** Milliseconds until it makes sense to come back; 0: unknown. */
export function retryIn(circuit: Circuit, now: number): number {
  if (circuit.is === 'open') return Math.max(0, circuit.until - now);
  if (circuit.is === 'half-open') return Math.max(0, Math.min(PROBE_ANSWERS, circuit.permit - now));
  return circuit.is === 'closed' && circuit.slowStart ? PROBE_ANSWERS : 0;
}
