import type { Isolating } from './health.ts';

/** Who holds which circuits of a breaker open, by the origin. */
const known = new WeakMap<Isolating, Map<string, Set<object>>>();

const holdersOf = (breaker: Isolating, origin: string): Set<object> => {
  const byOrigin = known.get(breaker) ?? new Map<string, Set<object>>();
  known.set(breaker, byOrigin);
  const holders = byOrigin.get(origin) ?? new Set<object>();
  byOrigin.set(origin, holders);
  return holders;
};

/** Opens a circuit, which stays open until all who hold it have released it. */
export function hold(breaker: Isolating, origin: string, holder: object): void {
  const holders = holdersOf(breaker, origin);
  if (holders.size === 0) breaker.isolate(origin);
  holders.add(holder);
}

/** Closes it, if nobody else holds it. */
export function release(breaker: Isolating, origin: string, holder: object): void {
  const holders = holdersOf(breaker, origin);
  if (holders.delete(holder) && holders.size === 0) breaker.reset(origin);
}
