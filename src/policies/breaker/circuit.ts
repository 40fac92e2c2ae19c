import type { Host } from '../../core/contract.ts';
import { PerOrigin } from '../../core/origins.ts';
import type { Settings } from './options.ts';
import { RateWindow } from './rate-window.ts';

/** A circuit. Its identity is compared when a result comes back, so that a result of an earlier state is ignored. */
export type Circuit =
  | {
      readonly is: 'closed';
      /** In a row; `unreached` are those in which the origin was not reached at all. */
      failures: number;
      unreached: number;
      readonly window: RateWindow;
      readonly times: number;
      /** While it has only just closed: calls under way, how many may be, and when it no longer matters. */
      pace: { underWay: number; allowed: number; readonly until: number } | undefined;
    }
  | { readonly is: 'open'; readonly until: number; readonly times: number }
  /** One probe at a time; `permit` is when the one that is out gives it back. */
  | { readonly is: 'half-open'; permit: number; successes: number; readonly times: number }
  | { readonly is: 'isolated'; readonly times: number };

export type CircuitState = Circuit['is'];

/** Failures in a row that open the circuit; and calls without a connection, where there are few to judge by. */
const FAILURES = 5;
const FEW = 2;

/** With so many at once and all of them well, the origin is taken to be back. */
const FULL_PACE = 64;

/** While a probe is out its answer decides, and it should come soon. In ms. */
const PROBE_ANSWERS = 1_000;

/** What is to be known of a call that failed. */
interface FailedCall {
  /** When it was sent, in ticks: what it tells is as old. */
  readonly began: number;
  /** Of the probe, as it was when it was let through: who has lost it says nothing of the origin as it is now. */
  readonly permit: number;
  readonly slow?: boolean;
  /** The body broke off after the headers had been a success: no place is given back. */
  readonly late?: boolean;
  /** There was no connection. */
  readonly unreached?: boolean;
}

/** The circuits and the rules by which they change. Knows nothing of requests; time is ticks. */
export class Circuits {
  readonly #settings: Settings;
  readonly #circuits: PerOrigin<Circuit>;
  /** They are somebody's order, which is not forgotten however many origins come after. */
  readonly #isolated = new Map<string, Circuit>();
  /** Called after every change of state. */
  readonly #changed: (key: string, from: Circuit, to: Circuit) => void;

  constructor(settings: Settings, changed: (key: string, from: Circuit, to: Circuit) => void) {
    this.#settings = settings;
    this.#changed = changed;
    this.#circuits = new PerOrigin(() => this.#closed());
  }

  get(key: string): Circuit {
    return (this.#isolated.size > 0 && this.#isolated.get(key)) || this.#circuits.get(key);
  }

  entries(): IterableIterator<[string, Circuit]> {
    return this.#circuits.entries();
  }

  set(key: string, to: Circuit): void {
    const from = this.get(key);
    if (to.is === 'isolated') this.#isolated.set(key, to);
    else this.#isolated.delete(key);
    this.#circuits.set(key, to);
    this.#changed(key, from, to);
  }

  /** Takes a place, the permit of a probe among them, which is given back by `succeeded`, `failed` or `neutral`. */
  admit(key: string, now: number): Circuit | undefined {
    const circuit = this.get(key);
    if (circuit.is === 'closed') {
      const { pace } = circuit;
      if (!pace) return circuit;
      // Calls that never end must not keep their places for ever.
      if (now >= pace.until) circuit.pace = undefined;
      else if (pace.underWay >= pace.allowed) return undefined;
      else pace.underWay++;
      return circuit;
    }
    const permit = now + this.#settings.probeTimeout;
    if (circuit.is === 'open' && now >= circuit.until) {
      const probing: Circuit = { is: 'half-open', permit, successes: 0, times: circuit.times };
      this.set(key, probing);
      return probing;
    }
    if (circuit.is !== 'half-open' || now < circuit.permit) return undefined;
    circuit.permit = permit;
    return circuit;
  }

  failed(
    key: string,
    seen: Circuit,
    { clock, random }: Host,
    { began, permit, slow = false, late = false, unreached = false }: FailedCall,
  ): void {
    if (this.get(key) !== seen) return;
    if (seen.is === 'half-open' && seen.permit === permit) this.open(key, seen.times, began, random);
    if (seen.is !== 'closed') return;
    if (seen.pace && !late) seen.pace.underWay--;
    seen.failures++;
    if (unreached) seen.unreached++;
    this.#judge(key, seen, clock.ticks(), { failed: true, slow, began, random });
  }

  succeeded(key: string, seen: Circuit, host: Host, slow: boolean): void {
    if (this.get(key) !== seen) return;
    if (seen.is === 'closed') {
      const { pace } = seen;
      if (pace) {
        pace.underWay--;
        if (++pace.allowed >= FULL_PACE) seen.pace = undefined;
      }
      seen.failures = seen.unreached = 0;
      const now = host.clock.ticks();
      this.#judge(key, seen, now, { failed: false, slow, began: now, random: host.random });
    } else if (seen.is === 'half-open') {
      seen.permit = 0;
      if (++seen.successes >= this.#settings.successes) this.close(key, host.clock.ticks());
    }
  }

  /** Neither for nor against the origin: a place is given back. */
  neutral(key: string, seen: Circuit, permit: number): void {
    if (this.get(key) !== seen) return;
    if (seen.is === 'half-open' && seen.permit === permit) seen.permit = 0;
    else if (seen.is === 'closed' && seen.pace) seen.pace.underWay--;
  }

  /** Ends a trial well: from here the pace grows. */
  close(key: string, now: number): void {
    const { slowStart, successes, maxOpenFor } = this.#settings;
    const closed = this.#closed(this.get(key).times);
    if (slowStart) closed.pace = { underWay: 0, allowed: Math.max(2, successes), until: now + maxOpenFor };
    this.set(key, closed);
  }

  /** @param began When the request was sent that made it open: a time-out tells of a time that may be over. */
  open(key: string, times: number, began: number, random: () => number): void {
    const { openFor, maxOpenFor } = this.#settings;
    const spread = 0.8 + 0.4 * random();
    this.set(key, {
      is: 'open',
      until: began + Math.min(maxOpenFor, openFor * 2 ** times) * spread,
      times: times + 1,
    });
  }

  reset(key: string): void {
    this.set(key, this.#closed());
  }

  #judge(
    key: string,
    seen: Circuit & { is: 'closed' },
    now: number,
    { failed, slow, began, random }: { failed: boolean; slow: boolean; began: number; random: () => number },
  ): void {
    const { failures, minimum, rate, slowRate } = this.#settings;
    const sum = seen.window.add(now, failed, slow);
    const often =
      sum.calls >= minimum &&
      ((failed && sum.failed >= rate * sum.calls) || (slow && sum.slow >= slowRate * sum.calls));
    // Where there are few calls to judge by, two without a connection are enough: each client of a fleet sees few, and
    // all of them together would triple the load. Not two time-outs: the last of them are told when the origin is back.
    const inRow =
      seen.failures >= (failures ?? FAILURES) ||
      (failures === undefined && sum.calls < minimum && seen.unreached >= FEW);
    if (inRow || often) this.open(key, seen.pace ? seen.times : 0, began, random);
  }

  #closed(times = 0): Circuit & { is: 'closed' } {
    return {
      is: 'closed',
      failures: 0,
      unreached: 0,
      window: new RateWindow(this.#settings.window),
      times,
      pace: undefined,
    };
  }
}

/** What a probe holds; 0 for any other call. */
export const permitOf = (circuit: Circuit): number => (circuit.is === 'half-open' ? circuit.permit : 0);

/** Milliseconds until it makes sense to come back; 0 where nobody knows. */
export function retryIn(circuit: Circuit, now: number): number {
  if (circuit.is === 'open') return Math.max(0, circuit.until - now);
  if (circuit.is === 'half-open') return Math.max(0, Math.min(PROBE_ANSWERS, circuit.permit - now));
  return circuit.is === 'closed' && circuit.pace ? PROBE_ANSWERS : 0;
}
