import type { Call, Home } from '../../core/contract.ts';
import { type Circuit, retryIn } from './circuit.ts';
import type { Circuits } from './circuits.ts';
import type { Settings } from './options.ts';
import type { Connection, SharedCircuit, Sharing } from './sharing.ts';

/** The circuits of other tabs or isolates: what changes here goes out, and what comes in changes circuits here. */
export class Remote {
  readonly #share: Sharing;
  readonly #circuits: Circuits;
  readonly #settings: Settings;
  readonly #now: () => number;
  #connection: Connection | undefined;
  /** A change from outside does not go out again. */
  #isApplying = false;

  /** @param now In ticks. */
  constructor(share: Sharing, circuits: Circuits, settings: Settings, now: () => number) {
    this.#share = share;
    this.#circuits = circuits;
    this.#settings = settings;
    this.#now = now;
  }

  /** A call begins: connects if that may be done now, and lets the connection send and receive. */
  enter(home: Home, call: Call): void {
    const mayConnect = this.#share.inCalls || (call.host.sharesIO && !home.signal.aborted);
    if (!this.#connection && mayConnect) this.#connect(home);
    this.during(call);
  }

  during(call: Call, failed?: boolean): void {
    this.#connection?.during?.(call, failed);
  }

  tell(key: string, to: Circuit): void {
    if (!this.#isApplying) this.#connection?.tell(this.#shareable(key, to));
  }

  #connect(home: Home): void {
    this.#connection = this.#share.connect(
      (circuit) => this.#apply(circuit),
      () =>
        [...this.#circuits.entries()]
          .map(([key, circuit]) => this.#shareable(key, circuit))
          .filter((circuit) => circuit.is !== 'closed'),
    );
    home.onClose(() => {
      this.#connection?.close();
      this.#connection = undefined;
    });
  }

  #shareable(key: string, circuit: Circuit): SharedCircuit {
    const { is, reopens: times } = circuit;
    const now = this.#now();
    const left = is === 'half-open' ? Math.max(0, circuit.permit - now) : retryIn(circuit, now);
    return { key, is, times, left };
  }

  #apply({ key, is, left, times, later = 0 }: SharedCircuit): void {
    const { maxOpenFor, probeTimeout } = this.#settings;
    const now = this.#now();
    const known = this.#circuits.get(key);
    this.#isApplying = true;
    if (is === 'isolated') this.#circuits.set(key, { is, reopens: times });
    else if (is === 'closed') {
      if (known.is !== 'closed') this.#circuits.close(key, now);
    } else if (left > 0 && known.is !== 'isolated') {
      // Two probes at once do not stop each other.
      const most = is === 'open' ? maxOpenFor : known.is === 'half-open' ? 0 : probeTimeout;
      const until = now + Math.min(left, most) + later;
      if (most > 0) this.#circuits.set(key, { is: 'open', until, reopens: times, reason: undefined });
    }
    this.#isApplying = false;
  }
}
