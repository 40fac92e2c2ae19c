import type { Clock } from '../../core/contract.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { type Circuit, type CircuitState, retryIn } from './circuit.ts';
import type { PlainSettings } from './plain-options.ts';
import { Circuits } from './transitions.ts';

export interface CircuitInfo {
  readonly state: CircuitState;
  /** Wall time in ms from which on a probe is let through. */
  readonly retryAt?: number;
}

/** Circuits that the application sees, isolates and resets. */
export class ManagedCircuits extends Circuits {
  /** Kept however many origins come after. */
  readonly #isolated = new Map<string, Circuit>();
  /** The keys are the application's own. */
  readonly #hasOwnKeys: boolean;

  constructor(settings: PlainSettings) {
    super(settings);
    this.#hasOwnKeys = settings.key !== undefined;
  }

  override get(key: string): Circuit {
    return (this.#isolated.size > 0 && this.#isolated.get(key)) || super.get(key);
  }

  override has(key: string): boolean {
    return super.has(key) || this.#isolated.has(key);
  }

  entries(): [string, Circuit][] {
    return [...new Map([...this.origins.entries(), ...this.paths.entries(), ...this.#isolated])];
  }

  override set(circuit: Circuit, state: Partial<Circuit>, since?: number): void {
    const { key } = circuit;
    if (state.is === 'isolated') this.#isolated.set(key, circuit);
    else if (this.#isolated.delete(key)) this.kind(key).set(key, circuit);
    super.set(circuit, state, since);
  }

  /** @param clock Absent: no pipeline has the circuits yet. */
  states(clock: Clock | undefined): Record<string, CircuitInfo> {
    const states: Record<string, CircuitInfo> = {};
    for (const [key, circuit] of this.entries()) {
      const left = clock && circuit.is !== 'closed' ? retryIn(circuit, clock.ticks()) : 0;
      states[key] = {
        state: circuit.is,
        ...(left && clock && { retryAt: Math.ceil(clock.now() + left) }),
      };
    }
    return states;
  }

  isolate(origin: string): void {
    if (!this.#hasOwnKeys && !(/^https?:/.test(origin) && URL.canParse(origin)))
      throw new ConfigurationError(
        'breaker.isolate',
        origin,
        "expected an origin such as 'https://api.example.com'",
      );
    this.set(this.get(this.#keyOf(origin)), { is: 'isolated', probeAt: Infinity, reopens: 0 });
  }

  /** @param origin Absent: all. */
  reset(origin?: string): void {
    const known = this.entries().map(([key]) => key);
    const keys = origin === undefined ? known : new Set([origin, this.#keyOf(origin)]);
    for (const key of keys)
      if (this.has(key)) this.set(this.get(key), { is: 'closed', recoveredAt: -Infinity, reopens: 0 });
  }

  /** `https://a.example/` means its origin, also if the path `/` has a circuit. */
  #keyOf(given: string): string {
    if (this.#hasOwnKeys || !URL.canParse(given)) return given;
    const { href, origin } = new URL(given);
    return href === `${origin}/` || !this.has(given) ? origin : given;
  }
}
