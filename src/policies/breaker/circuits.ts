import type { Clock, Host } from '../../core/contract.ts';
import { isOrigin, PerOrigin } from '../../core/origins.ts';
import type { Applicant, Circuit, Closed, OpenReason, Pass, SlowStart } from './circuit.ts';
import type { PlainSettings } from './plain-options.ts';

/** With so many in flight and all of them well, the origin is taken to be back. */
const FULL_PACE = 64;

/** An origin that recovered within this time by itself is flaky and not down, in ms. */
const FLAKY_FOR = 30_000;

/** The last attempt of a call waits so long for an origin that has gone silent, in ms: most blips are over by then. */
const LAST_ATTEMPT = 4_000;

/** The first repetition may come so soon, in ms, however long a circuit stays open. */
const BLIP = 300;

/** Failures that are further apart than this, in ms, are not in a row. */
const FORGOTTEN = 60_000;

/** More calls than this that wait for one origin are not let go at once. */
const CROWD = 2;

/** A call that failed. */
interface FailedCall {
  /** The stamp that it got when it was let go. */
  readonly began: number;
  readonly repeats: boolean;
  /** `'network'`, `'timeout-attempt'`, `'status 503'`. */
  readonly cause: string;
  readonly path?: string | undefined;
}

/** Calls that were let go before the slow start have no slot in it. */
function leaveSlowStart({ slowStart }: Closed): void {
  if (slowStart) slowStart.inFlight = Math.max(0, slowStart.inFlight - 1);
}

/** The circuits and the rules by which they change. Knows nothing of requests; time is ticks. */
export class Circuits {
  /** Paths have circuits from their first failure on; until then, looking for one costs nothing. */
  hasPaths: boolean;
  /** Called after every change of state. */
  changed: (key: string, from: Circuit, to: Circuit) => void = () => {};
  /** How many calls wait for a circuit. */
  countWaiting: (key: string) => number = () => 0;
  readonly #settings: PlainSettings;
  /** Paths apart from origins, so that broken paths do not push out the circuit of an origin. */
  protected readonly origins = new PerOrigin<Circuit>(newCircuit);
  protected readonly paths = new PerOrigin<Circuit>(newCircuit);
  #stamps = 0;

  constructor(settings: PlainSettings) {
    this.#settings = settings;
    this.hasPaths = settings.key !== undefined;
  }

  /** Numbers what happens, so that calls which were in flight together are told apart from calls in a row. */
  stamp(): number {
    return ++this.#stamps;
  }

  get(key: string): Circuit {
    return this.#kind(key).get(key);
  }

  has(key: string): boolean {
    return this.#kind(key).has(key);
  }

  #kind(key: string): PerOrigin<Circuit> {
    return isOrigin(key) ? this.origins : this.paths;
  }

  set(key: string, to: Circuit): void {
    const from = this.get(key);
    this.put(key, to);
    this.changed(key, from, to);
  }

  protected put(key: string, to: Circuit): void {
    this.#kind(key).set(key, to);
  }

  /**
   * Lets a call go, with a permit if it is a probe. `succeeded`, `failed` or `release` takes it back.
   *
   * @returns `undefined` if the call has to wait; see `freeAt`.
   */
  admit(key: string, clock: Clock, call: Applicant): Circuit | undefined {
    const circuit = this.get(key);
    const isClosed = circuit.is === 'closed';
    const isProbe = isClosed && call.repeats && circuit.rounds > 0;
    // The usual call needs no time.
    if (isClosed && !isProbe && !circuit.slowStart) return circuit;
    const now = clock.ticks();
    const permit = now + this.#settings.probeTimeout;
    if (isClosed) {
      if (isProbe && now < this.#repeatFrom(circuit, now, call)) return undefined;
      const { slowStart } = circuit;
      // Calls that never end must not keep their slots for ever.
      if (slowStart && now >= slowStart.until) circuit.slowStart = undefined;
      else if (slowStart && slowStart.inFlight >= slowStart.allowed) return undefined;
      else if (slowStart) slowStart.inFlight++;
      if (isProbe) circuit.permit = permit;
      return circuit;
    }
    if (circuit.is === 'open' && now >= circuit.until) {
      const { reopens, reason, failedPath } = circuit;
      const probing: Circuit = { is: 'half-open', permit, successes: 0, reopens, reason, failedPath };
      this.set(key, probing);
      return probing;
    }
    if (circuit.is !== 'half-open' || now < circuit.permit) return undefined;
    circuit.permit = permit;
    return circuit;
  }

  /** The path of the call that failed last. */
  failedPath(key: string): string | undefined {
    return this.get(key).failedPath;
  }

  /** Failed attempts in a row, while the circuit is closed. */
  rounds(key: string): number {
    const circuit = this.get(key);
    return circuit.is === 'closed' ? circuit.rounds : -1;
  }

  /** When, in ticks, the circuit may let this call go by time alone; `Infinity`: never. */
  freeAt(key: string, now: number, call: Applicant): number {
    const circuit = this.get(key);
    if (circuit.is === 'open') return circuit.until;
    if (circuit.is === 'half-open') return circuit.permit;
    if (circuit.is === 'isolated') return Infinity;
    const from = call.repeats && circuit.rounds > 0 ? this.#repeatFrom(circuit, now, call) : now;
    return from > now ? from : (circuit.slowStart?.until ?? now);
  }

  /** Whether something may change before `deadline` (in ticks). While it is closed, the first attempts of others are probes. */
  mayChangeBy(deadline: number, key: string): boolean {
    const circuit = this.get(key);
    return circuit.is === 'open' ? circuit.until < deadline : circuit.is !== 'isolated';
  }

  /**
   * While an origin does not respond, one repetition at a time is its probe. An origin that recovers again and again is
   * flaky: there a repetition costs nothing but itself, and does not wait longer than for the one in flight.
   */
  #repeatFrom(circuit: Closed, now: number, { isHeld }: Applicant): number {
    if (now - circuit.recoveredAt < FLAKY_FOR) return circuit.permit;
    return Math.max(circuit.permit, circuit.repeatFrom, isHeld ? circuit.failingSince + LAST_ATTEMPT : 0);
  }

  failed({ key, circuit: seen, permit }: Pass, { clock, random }: Host, call: FailedCall): void {
    if (this.get(key) !== seen) return;
    const { began, repeats, cause, path } = call;
    const now = clock.ticks();
    if (seen.is === 'half-open' && seen.permit === permit)
      this.open(key, seen.reopens, now, random, seen.reason, path);
    if (seen.is !== 'closed') return;
    leaveSlowStart(seen);
    if (seen.permit === permit) seen.permit = 0;
    if (now - seen.lastFailedAt > FORGOTTEN) seen.calls = seen.rounds = 0;
    if (seen.rounds === 0) seen.failingSince = now;
    seen.lastFailedAt = now;
    seen.failedPath = path;
    if (began > seen.failedAt) {
      seen.rounds++;
      seen.failedAt = this.stamp();
      // A repetition that is due soon is not put off by calls that come after it.
      if (seen.repeatFrom <= now) seen.repeatFrom = now + this.#interval(seen.rounds - 1, random, BLIP);
    }
    if (!repeats && began > seen.callFailedAt) {
      seen.calls++;
      seen.callFailedAt = this.stamp();
    }
    if (seen.calls >= this.#settings.failures)
      this.open(key, seen.reopens, now, random, { failures: seen.calls, lastFailure: cause }, path);
  }

  succeeded({ key, circuit: seen }: Pass, { clock }: Host): void {
    if (this.get(key) !== seen) return;
    if (seen.is === 'closed') {
      const { slowStart } = seen;
      // An origin that flaps is back each time; one that responds to nothing but probes is not.
      seen.reopens = 0;
      if (slowStart) {
        leaveSlowStart(seen);
        if (++slowStart.allowed >= FULL_PACE) seen.slowStart = undefined;
      }
      if (seen.rounds > 0) {
        seen.calls = seen.rounds = seen.permit = seen.repeatFrom = 0;
        seen.failedAt = seen.callFailedAt = 0;
        seen.recoveredAt = clock.ticks();
        if (this.countWaiting(key) > CROWD && this.#settings.slowStart)
          seen.slowStart ??= this.#slowStart(seen.recoveredAt);
      }
    } else if (seen.is === 'half-open') {
      seen.permit = 0;
      if (++seen.successes >= this.#settings.successes) this.close(key, clock.ticks());
    }
  }

  /** The call says nothing of the origin: its slot and its permit are free again. */
  release({ key, circuit: seen, permit }: Pass): void {
    if (this.get(key) !== seen) return;
    if ((seen.is === 'half-open' || seen.is === 'closed') && seen.permit === permit) seen.permit = 0;
    if (seen.is === 'closed') leaveSlowStart(seen);
  }

  /** Ends a trial well: from here the pace grows. */
  close(key: string, now: number): void {
    const closed = newCircuit(this.get(key).reopens);
    closed.recoveredAt = now;
    if (this.#settings.slowStart) closed.slowStart = this.#slowStart(now);
    this.set(key, closed);
  }

  open(
    key: string,
    reopens: number,
    now: number,
    random: () => number,
    reason?: OpenReason,
    failedPath?: string,
  ): void {
    const until = now + this.#interval(reopens, random);
    this.set(key, { is: 'open', until, reopens: reopens + 1, reason, failedPath });
  }

  /** Between two probes: `first` twice, then doubled up to `maxOpenFor`; up to a fifth shorter, by chance. */
  #interval(probes: number, random: () => number, first = Infinity): number {
    const { openFor, maxOpenFor } = this.#settings;
    const base = Math.min(openFor, first) * 2 ** Math.max(0, probes - 1);
    return Math.min(maxOpenFor, base) * (0.8 + 0.2 * random());
  }

  #slowStart(now: number): SlowStart {
    const { successes, maxOpenFor } = this.#settings;
    return { inFlight: 0, allowed: Math.max(2, successes), until: now + maxOpenFor };
  }
}

export const newCircuit = (reopens = 0): Closed => ({
  is: 'closed',
  calls: 0,
  callFailedAt: 0,
  rounds: 0,
  failingSince: 0,
  failedAt: 0,
  repeatFrom: 0,
  permit: 0,
  recoveredAt: -Infinity,
  lastFailedAt: -Infinity,
  failedPath: undefined,
  reopens,
  slowStart: undefined,
});
