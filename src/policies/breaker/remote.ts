import { type Circuit, retryIn } from './circuit.ts';
import type { ManagedCircuits } from './managed-circuits.ts';
import type { PlainSettings } from './plain-options.ts';
import { connectLater, type SharedState, type Sharing } from './sharing.ts';

/**
 * The circuits of other tabs or isolates: broadcasts changes, and applies the changes of others. A circuit that the
 * application has isolated is left alone.
 *
 * @param now In ticks.
 */
export function remoteCircuits(
  share: Sharing,
  circuits: ManagedCircuits,
  settings: PlainSettings,
  now: () => number,
) {
  /** A change from outside is not broadcast again. */
  let isApplying = false;

  const shared = (circuit: Circuit): SharedState[] => {
    const { key, is, permitUntil, reopens: times } = circuit;
    if (is === 'isolated') return [];
    const left = is === 'half-open' ? Math.max(0, permitUntil - now()) : retryIn(circuit, now());
    return [{ key, is, times, left }];
  };

  const known = (): SharedState[] =>
    circuits.entries().flatMap(([, circuit]) => (circuit.is === 'closed' ? [] : shared(circuit)));

  const apply = ({ key, is, left, times, later = 0 }: SharedState): void => {
    const circuit = circuits.get(key);
    const local = circuit.is;
    if (is === 'held' || local === 'isolated') return;
    // Two probes at once do not stop each other.
    const most = is === 'open' ? settings.maxOpenFor : local === 'half-open' ? 0 : settings.probeTimeout;
    const until = now() + Math.min(left, most) + later;
    isApplying = true;
    if (is === 'closed' && local !== 'closed') circuits.close(circuit, now());
    if (is !== 'closed' && left > 0 && most > 0)
      circuits.set(circuit, { is: 'open', probeAt: until, reopens: times });
    isApplying = false;
  };

  const { enter, during, broadcast } = connectLater(share, apply, known);
  return {
    enter,
    during,
    broadcast(circuit: Circuit): void {
      if (!isApplying) shared(circuit).forEach(broadcast);
    },
  };
}
