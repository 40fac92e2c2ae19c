import type { Host } from '../../core/contract.ts';
import { PerOrigin } from '../../core/origins.ts';
import type { Settings } from './options.ts';
import { RateWindow } from './rate-window.ts';

/** A circuit. Its identity is compared when a result comes back, so that a result of an earlier state is ignored. */
export type Circuit =
  | {
      readonly is: 'closed';
      failures: number;
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

/** With so many at once and all of them well, the origin is taken to be back. */
const FULL_PACE = 64;

/** While a probe is out its answer decides, and it should come soon. In ms. */
const PROBE_ANSWERS = 1_000;

/** The circuits and the rules by which they change. Knows nothing of requests; time is ticks. */
export class Circuits {
  readonly #settings: Settings;
  readonly #circuits: PerOrigin<Circuit>;
  /** Called after every change of state. */
  readonly #changed: (key: string, from: Circuit, to: Circuit) => void;

  constructor(settings: Settings, changed: (key: string, from: Circuit, to: Circuit) => void) {
    this.#settings = settings;
    this.#changed = changed;
    this.#circuits = new PerOrigin(() => this.#closed());
  }

  get(key: string): Circuit {
    return this.#circuits.get(key);
  }

  entries(): IterableIterator<[string, Circuit]> {
    return this.#circuits.entries();
  }

  set(key: string, to: Circuit): void {
    const from = this.get(key);
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

  /** @param late The body broke off after the headers had been a success: no place is given back. */
  failed(key: string, seen: Circuit, { clock, random }: Host, slow: boolean, late = false): void {
    if (this.get(key) !== seen) return;
    if (seen.is === 'half-open') this.open(key, seen.times, clock.ticks(), random);
    if (seen.is !== 'closed') return;
    if (seen.pace && !late) seen.pace.underWay--;
    seen.failures++;
    this.#judge(key, seen, { clock, random }, true, slow);
  }

  succeeded(key: string, seen: Circuit, host: Host, slow: boolean): void {
    if (this.get(key) !== seen) return;
    if (seen.is === 'closed') {
      const { pace } = seen;
      if (pace) {
        pace.underWay--;
        if (++pace.allowed >= FULL_PACE) seen.pace = undefined;
      }
      seen.failures = 0;
      this.#judge(key, seen, host, false, slow);
    } else if (seen.is === 'half-open') {
      seen.permit = 0;
      if (++seen.successes >= this.#settings.successes) this.close(key, host.clock.ticks());
    }
  }

  /** Neither for nor against the origin: a place is given back. */
  neutral(key: string, seen: Circuit): void {
    if (this.get(key) !== seen) return;
    if (seen.is === 'half-open') seen.permit = 0;
    else if (seen.is === 'closed' && seen.pace) seen.pace.underWay--;
  }

  /** Ends a trial well: from here the pace grows. */
  close(key: string, now: number): void {
    const { slowStart, successes, maxOpenFor } = this.#settings;
    const closed = this.#closed(this.get(key).times);
    if (slowStart) closed.pace = { underWay: 0, allowed: Math.max(2, successes), until: now + maxOpenFor };
    this.set(key, closed);
  }

  open(key: string, times: number, now: number, random: () => number): void {
    const { openFor, maxOpenFor } = this.#settings;
    const spread = 0.8 + 0.4 * random();
    this.set(key, {
      is: 'open',
      until: now + Math.min(maxOpenFor, openFor * 2 ** times) * spread,
      times: times + 1,
    });
  }

  reset(key: string): void {
    this.set(key, this.#closed());
  }

  #judge(
    key: string,
    seen: Circuit & { is: 'closed' },
    { clock, random }: Pick<Host, 'clock' | 'random'>,
    bad: boolean,
    slow: boolean,
  ): void {
    const { failures, minimum, rate, slowRate } = this.#settings;
    const now = clock.ticks();
    const sum = seen.window.add(now, bad, slow);
    const often =
      sum.calls >= minimum &&
      ((bad && sum.failed >= rate * sum.calls) || (slow && sum.slow >= slowRate * sum.calls));
    if (seen.failures >= failures || often) this.open(key, seen.pace ? seen.times : 0, now, random);
  }

  #closed(times = 0): Circuit & { is: 'closed' } {
    return {
      is: 'closed',
      failures: 0,
      window: new RateWindow(this.#settings.window),
      times,
      pace: undefined,
    };
  }
}

/** Milliseconds until it makes sense to come back; 0 where nobody knows. */
export function retryIn(circuit: Circuit, now: number): number {
  if (circuit.is === 'open') return Math.max(0, circuit.until - now);
  if (circuit.is === 'half-open') return Math.max(0, Math.min(PROBE_ANSWERS, circuit.permit - now));
  return circuit.is === 'closed' && circuit.pace ? PROBE_ANSWERS : 0;
}
