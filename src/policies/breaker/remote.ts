import { type Circuit, retryIn } from './circuit.ts';
import type { ManagedCircuits } from './managed-circuits.ts';
import type { Settings } from './options.ts';
import { connectLater, type SharedState, type Sharing } from './sharing.ts';

/**
 * The circuits of other tabs or isolates: a change here goes out, and what comes in opens and closes circuits here. One that the
 * application has isolated is its own affair.
 *
 * @param now In ticks.
 */
export function remoteCircuits(
  share: Sharing,
  circuits: ManagedCircuits,
  settings: Settings,
  now: () => number,
) {
  /** A change from outside does not go out again. */
  let isApplying = false;

  const shared = (key: string, circuit: Circuit): SharedState[] => {
    const { is, reopens: times } = circuit;
    if (is === 'isolated') return [];
    const left = is === 'half-open' ? Math.max(0, circuit.permit - now()) : retryIn(circuit, now());
    return [{ key, is, times, left }];
  };

  const known = (): SharedState[] =>
    circuits.entries().flatMap(([key, circuit]) => (circuit.is === 'closed' ? [] : shared(key, circuit)));

  const apply = ({ key, is, left, times, later = 0 }: SharedState): void => {
    const local = circuits.get(key).is;
    if (is === 'held' || local === 'isolated') return;
    // Two probes at once do not stop each other.
    const most = is === 'open' ? settings.maxOpenFor : local === 'half-open' ? 0 : settings.probeTimeout;
    const until = now() + Math.min(left, most) + later;
    isApplying = true;
    if (is === 'closed' && local !== 'closed') circuits.close(key, now());
    if (is !== 'closed' && left > 0 && most > 0)
      circuits.set(key, { is: 'open', until, reopens: times, reason: undefined });
    isApplying = false;
  };

  const { enter, during, tell } = connectLater(share, apply, known);
  return {
    enter,
    during,
    tell(key: string, to: Circuit): void {
      if (!isApplying) shared(key, to).forEach(tell);
    },
  };
}
