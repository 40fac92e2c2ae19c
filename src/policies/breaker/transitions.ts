import type { Host } from '../../core/contract.ts';
import type { Run } from '../../core/stage.ts';
import { LruMap } from '../../primitives/lru.ts';
import { isOrigin } from '../../primitives/request.ts';
import {
  type Circuit,
  type CircuitState,
  INITIAL,
  isProbe,
  newCircuit,
  type OpenReason,
  type SlowStart,
} from './circuit.ts';
import type { PlainSettings } from './plain-options.ts';

/** The longest wait of the first repetition, in ms, however long a circuit stays open. */
const FIRST_REPETITION = 300;

/** If more calls than this wait when an origin responds again, a slow start admits them a few at a time. */
const MAX_RELEASED = 2;

/** The circuits and the rules by which they change; independent of requests. */
export class Circuits {
  /** Called after every change. */
  changed: (circuit: Circuit, from: CircuitState) => void = () => {};
  readonly #settings: PlainSettings;
  /** Paths apart from origins, so that broken paths do not push out the circuit of an origin. */
  protected readonly origins = new LruMap<Circuit>(newCircuit);
  protected readonly paths = new LruMap<Circuit>(newCircuit);
  #stamps = 0;

  constructor(settings: PlainSettings) {
    this.#settings = settings;
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

  /** The key of the circuit for 408 and 5xx. */
  pathOf(run: Run): string {
    const { call, origin, url } = run;
    return this.#settings.key?.(run.request, { ...call, origin }) ?? url.replace(/[?#].*/s, '');
  }

  /** The circuit of the path, if it has one: paths have circuits from their first failure on. */
  ofPath(run: Run): Circuit | undefined {
    if (this.paths.isEmpty && !this.#settings.key) return undefined;
    const key = this.pathOf(run);
    return key !== run.origin && this.has(key) ? this.get(key) : undefined;
  }

  protected kind(key: string): LruMap<Circuit> {
    return isOrigin(key) ? this.origins : this.paths;
  }

  set(circuit: Circuit, state: Partial<Circuit>, since = this.stamp()): void {
    const from = circuit.is;
    Object.assign(circuit, INITIAL, state, { since });
    this.changed(circuit, from);
  }

  /** Admits a call, with a permit if it is a probe. `release` undoes it. */
  take(circuit: Circuit, stamp: number, { clock }: Host, run?: Run): void {
    circuit.slowStart?.inFlight.add(stamp);
    if (!isProbe(circuit, run)) return;
    const permit = { probe: stamp, permitUntil: clock.ticks() + this.#settings.probeTimeout };
    if (circuit.is === 'open')
      this.set(circuit, { is: 'half-open', reason: circuit.reason, ...permit }, stamp);
    else Object.assign(circuit, permit);
  }

  /**
   * An attempt has failed.
   *
   * @param cause `'network'`, `'timeout-attempt'`, `'status 503'`.
   * @param repeats It was a repetition.
   */
  failed(
    circuit: Circuit,
    stamp: number,
    { clock, random }: Host,
    cause: string,
    path?: string,
    repeats = false,
  ): void {
    if (stamp < circuit.since) return;
    const now = clock.ticks();
    circuit.failedPath = path;
    if (circuit.probe === stamp && circuit.is === 'half-open')
      this.open(circuit, now, random, circuit.reason);
    if (circuit.is !== 'closed') return;
    if (circuit.rounds === 0) circuit.failingSince = now;
    if (stamp > circuit.failedAt) {
      circuit.failedAt = this.stamp();
      // A repetition that is due soon is not put off by calls that come after it.
      if (circuit.probeAt <= now)
        circuit.probeAt = now + this.#interval(circuit.rounds, random, FIRST_REPETITION);
      circuit.rounds++;
    }
    if (repeats || stamp <= circuit.callFailedAt) return;
    circuit.callFailedAt = this.stamp();
    const failures = ++circuit.calls;
    if (failures >= this.#settings.failures)
      this.open(circuit, now, random, { failures, lastFailure: cause });
  }

  /** An attempt has succeeded. */
  succeeded(circuit: Circuit, stamp: number, { clock }: Host): void {
    if (stamp < circuit.since) return;
    const { is, slowStart, rounds, waiting } = circuit;
    if (is === 'half-open') {
      circuit.permitUntil = 0;
      if (++circuit.successes >= this.#settings.successes) this.close(circuit, clock.ticks());
    }
    if (is !== 'closed') return;
    // Only a call that was no probe shows that the origin is back.
    circuit.reopens = 0;
    if (slowStart) slowStart.slots++;
    if (rounds === 0) return;
    const now = clock.ticks();
    const crowd = waiting.size > MAX_RELEASED ? this.#slowStart(now) : undefined;
    Object.assign(circuit, INITIAL, { recoveredAt: now, slowStart: crowd ?? slowStart });
  }

  /** Closes the circuit; the slow start begins. */
  close(circuit: Circuit, now: number): void {
    this.set(circuit, { is: 'closed', recoveredAt: now, slowStart: this.#slowStart(now) });
  }

  open(circuit: Circuit, now: number, random: () => number, reason: OpenReason | undefined): void {
    const probeAt = now + this.#interval(circuit.reopens++, random);
    this.set(circuit, { is: 'open', probeAt, reason });
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
      ? { slots: Math.max(2, successes), endsAt: now + maxOpenFor, inFlight: new Set() }
      : undefined;
  }
}
