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

/** What is known of a stored response besides what it says. */
export interface Validity {
  /** Something has happened since that may have changed the resource, or the clock was set back. */
  readonly doubtful?: boolean;
  /** A write has changed the resource: it is never fresh again, and stands in only where the origin allows it. */
  readonly invalidated?: boolean;
}

export function reuseOf(
  terms: Terms,
  now: number,
  wanted: Wanted,
  allowed: Allowed,
  { doubtful = false, invalidated = false }: Validity = {},
): Reuse {
  if (wanted.noCache) return 'when-confirmed';
  const age = ageOf(terms, now);
  if (wanted.anyAge && !invalidated && (terms.standsIn || age < terms.lifetime)) return 'as-is';
  const disregards = (name: 'no-cache' | 'must-revalidate'): boolean =>
    allowed.disregard.includes(name) && !invalidated;
  if (terms.noCache && !disregards('no-cache')) return 'when-confirmed';
  const unsure = doubtful || invalidated || terms.noCache;
  const late = Math.max(age - terms.lifetime, unsure ? 0 : -Infinity);
  if (late < 0) {
    const young = age <= wanted.maxAge || wanted.maxStale >= 0;
    return young && -late >= wanted.minFresh ? 'as-is' : 'on-error';
  }
  if (!terms.standsIn) return 'when-confirmed';
  if (terms.mustRevalidate && !disregards('must-revalidate')) return 'when-confirmed';
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
