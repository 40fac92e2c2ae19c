import type { Isolating } from './health.ts';

/** The pins of each circuit of a breaker, by origin. */
const known = new WeakMap<Isolating, Map<string, Set<object>>>();

const pinsOf = (breaker: Isolating, origin: string): Set<object> => {
  const byOrigin = known.get(breaker) ?? new Map<string, Set<object>>();
  known.set(breaker, byOrigin);
  const pins = byOrigin.get(origin) ?? new Set<object>();
  byOrigin.set(origin, pins);
  return pins;
};

/** Isolates a circuit until all its pins are removed. */
export function pin(breaker: Isolating, origin: string, pin: object): void {
  const pins = pinsOf(breaker, origin);
  if (pins.size === 0) breaker.isolate(origin);
  pins.add(pin);
}

/** Removes a pin; without pins the circuit closes. */
export function unpin(breaker: Isolating, origin: string, pin: object): void {
  const pins = pinsOf(breaker, origin);
  if (pins.delete(pin) && pins.size === 0) breaker.reset(origin);
}
