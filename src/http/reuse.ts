import { ageOf, type Terms } from './freshness.ts';
import type { Wanted } from './wanted.ts';

/**
 * How a stored response may answer a request (RFC 9111, 4): without asking, while the origin is being asked (RFC 5861,
 * 3), only where the origin cannot answer (RFC 5861, 4; RFC 9111, 4.2.4), or only when the origin has confirmed it.
 */
export type Reuse = 'as-is' | 'while-revalidating' | 'on-error' | 'when-confirmed';

/** What the application allows where the origin does not say; times in ms past freshness. */
export interface Allowed {
  readonly maxStale: number;
  readonly whileRevalidating: number;
  /** What the origin forbids and the application does all the same. */
  readonly disregard: readonly ('no-cache' | 'must-revalidate')[];
}

/**
 * @param doubtful Something has happened since that may have changed the resource, or the clock was set back.
 */
export function reuseOf(
  terms: Terms,
  now: number,
  wanted: Wanted,
  allowed: Allowed,
  doubtful = false,
): Reuse {
  if (wanted.noCache) return 'when-confirmed';
  const age = ageOf(terms, now);
  if (wanted.anyAge && !(terms.isBrief && age >= terms.lifetime)) return 'as-is';
  if (terms.noCache && !allowed.disregard.includes('no-cache')) return 'when-confirmed';
  const unsure = doubtful || terms.noCache;
  const late = Math.max(age - terms.lifetime, unsure ? 0 : -Infinity);
  if (late < 0) {
    const young = age <= wanted.maxAge || wanted.maxStale >= 0;
    return young && -late >= wanted.minFresh ? 'as-is' : 'on-error';
  }
  if (terms.isBrief) return 'when-confirmed';
  if (terms.mustRevalidate && !allowed.disregard.includes('must-revalidate')) return 'when-confirmed';
  if (!unsure) {
    if (late <= wanted.maxStale) return 'as-is';
    const young = age <= wanted.maxAge && wanted.minFresh === 0;
    if (young && late < (terms.whileRevalidating ?? allowed.whileRevalidating)) return 'while-revalidating';
  }
  // Where both say how long, both have to allow it.
  const said = Math.min(terms.ifError ?? Infinity, wanted.ifError ?? Infinity);
  const isSaid = terms.ifError !== undefined || wanted.ifError !== undefined;
  return late <= (isSaid ? said : allowed.maxStale) ? 'on-error' : 'when-confirmed';
}
