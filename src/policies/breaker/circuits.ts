import type { Host } from '../../core/contract.ts';
import { isOrigin, LruMap } from '../../core/origins.ts';
import type { Run } from '../../core/stage.ts';
import {
  AT_FIRST,
  type Circuit,
  type CircuitState,
  freeAt,
  isProbe,
  newCircuit,
  type OpenReason,
  type SlowStart,
} from './circuit.ts';
import type { PlainSettings } from './plain-options.ts';

/** With so many in flight and all of them well, the origin is taken to be back. */
const FULL_PACE = 64;

/** The first repetition may come so soon, in ms, however long a circuit stays open. */
const BLIP = 300;

/** Failures that are further apart than this, in ms, are not in a row. */
const FORGOTTEN = 60_000;

/** More calls than this that wait for one origin are not let go at once. */
const CROWD = 2;

/** A call that failed. */
interface FailedCall {
  readonly repeats: boolean;
  /** `'network'`, `'timeout-attempt'`, `'status 503'`. */
  readonly cause: string;
  readonly path?: string;
}

/** The circuits and the rules by which they change. Knows nothing of requests. */
export class Circuits {
  /** Paths have circuits from their first failure on; until then, looking for one costs nothing. */
  hasPaths: boolean;
  /** Called after every change. */
  changed: (circuit: Circuit, from: CircuitState) => void = () => {};
  readonly #settings: PlainSettings;
  /** Paths apart from origins, so that broken paths do not push out the circuit of an origin. */
  protected readonly origins = new LruMap<Circuit>(newCircuit);
  protected readonly paths = new LruMap<Circuit>(newCircuit);
  #stamps = 0;

  constructor(settings: PlainSettings) {
    this.#settings = settings;
    this.hasPaths = settings.key !== undefined;
  }

  /** Numbers the outcomes, to distinguish calls that were in flight together from calls in a row. */
  stamp(): number {
    return ++this.#stamps;
  }

  get(key: string): Circuit {
    return this.kind(key).get(key);
  }

  has(key: string): boolean {
    return this.kind(key).has(key);
  }

  protected kind(key: string): LruMap<Circuit> {
    return isOrigin(key) ? this.origins : this.paths;
  }

  set(circuit: Circuit, state: Partial<Circuit>, since = this.stamp()): void {
    const from = circuit.is;
    Object.assign(circuit, AT_FIRST, state, { since });
    this.changed(circuit, from);
  }

  isFree(circuit: Circuit, { clock }: Host, run?: Run): boolean {
    // The usual call needs no time.
    if (!circuit.slowStart && !isProbe(circuit, run)) return true;
    const now = clock.ticks();
    return freeAt(circuit, now, run) <= now;
  }

  /** Lets a call go, with a permit if it is a probe. `release` takes it back. */
  take(circuit: Circuit, stamp: number, { clock }: Host, run?: Run): void {
    circuit.slowStart?.inFlight.add(stamp);
    if (!isProbe(circuit, run)) return;
    const permit = { probe: stamp, until: clock.ticks() + this.#settings.probeTimeout };
    if (circuit.is === 'open')
      this.set(circuit, { is: 'half-open', reason: circuit.reason, ...permit }, stamp);
    else Object.assign(circuit, permit);
  }

  failed(circuit: Circuit, stamp: number, { clock, random }: Host, call: FailedCall): void {
    if (stamp < circuit.since) return;
    const { repeats, cause, path } = call;
    const now = clock.ticks();
    circuit.failedPath = path;
    if (circuit.is === 'half-open' && circuit.probe === stamp)
      this.open(circuit, now, random, circuit.reason);
    else if (circuit.is === 'closed') {
      if (now - circuit.lastFailedAt > FORGOTTEN) circuit.calls = circuit.rounds = 0;
      if (circuit.rounds === 0) circuit.failingSince = now;
      circuit.lastFailedAt = now;
      if (stamp > circuit.failedAt) {
        circuit.failedAt = this.stamp();
        // A repetition that is due soon is not put off by calls that come after it.
        if (circuit.from <= now) circuit.from = now + this.#interval(circuit.rounds, random, BLIP);
        circuit.rounds++;
      }
      if (!repeats && stamp > circuit.callFailedAt) {
        circuit.callFailedAt = this.stamp();
        const failures = ++circuit.calls;
        if (failures >= this.#settings.failures)
          this.open(circuit, now, random, { failures, lastFailure: cause });
      }
    }
  }

  succeeded(circuit: Circuit, stamp: number, { clock }: Host): void {
    if (stamp < circuit.since) return;
    const { is, slowStart, rounds, waiting } = circuit;
    if (is === 'closed') {
      // An origin that flaps is back each time; one that responds to nothing but probes is not.
      circuit.reopens = 0;
      if (slowStart && ++slowStart.allowed >= FULL_PACE) circuit.slowStart = undefined;
      if (rounds > 0) {
        const recoveredAt = clock.ticks();
        const isCrowd = waiting !== undefined && waiting.size > CROWD;
        Object.assign(circuit, AT_FIRST, {
          recoveredAt,
          slowStart: circuit.slowStart ?? (isCrowd ? this.#slowStart(recoveredAt) : undefined),
        });
      }
    } else if (is === 'half-open') {
      circuit.until = 0;
      if (++circuit.successes >= this.#settings.successes) this.close(circuit, clock.ticks());
    }
  }

  /** Ends a trial well: from here the pace grows. */
  close(circuit: Circuit, now: number): void {
    this.set(circuit, { is: 'closed', recoveredAt: now, slowStart: this.#slowStart(now) });
  }

  open(circuit: Circuit, now: number, random: () => number, reason: OpenReason | undefined): void {
    const from = now + this.#interval(circuit.reopens++, random);
    this.set(circuit, { is: 'open', from, reason });
  }

  /** Between two probes: `first` twice, then doubled up to `maxOpenFor`; up to a fifth shorter, by chance. */
  #interval(probes: number, random: () => number, first = Infinity): number {
    const { openFor, maxOpenFor } = this.#settings;
    const base = Math.min(openFor, first) * 2 ** Math.max(0, probes - 1);
    return Math.min(maxOpenFor, base) * (0.8 + 0.2 * random());
  }

  #slowStart(now: number): SlowStart | undefined {
    const { slowStart, successes, maxOpenFor } = this.#settings;
    return slowStart
      ? { inFlight: new Set(), allowed: Math.max(2, successes), until: now + maxOpenFor }
      : undefined;
  }
}
