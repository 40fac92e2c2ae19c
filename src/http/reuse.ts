import type { RequestDirectives } from './cache-control.ts';
import { ageOf, type Freshness } from './freshness.ts';

/**
 * How a stored response may be used (RFC 9111, 4): without revalidation, during revalidation (RFC 5861, 3), only if the origin
 * cannot respond (RFC 5861, 4; RFC 9111, 4.2.4), or only after revalidation.
 */
export type Reuse = 'as-is' | 'while-revalidating' | 'on-error' | 'when-confirmed';

/** The application's rules if the origin has none; times in ms past freshness. */
export interface StalePolicy {
  readonly maxStale: number;
  readonly whileRevalidating: number;
  /** Directives of the origin that the application ignores. */
  readonly disregard: readonly ('no-cache' | 'must-revalidate')[];
}

/** Facts about a stored response besides its headers. */
export interface Validity {
  /** Something has happened since that may have changed the resource, or the clock was set back. */
  readonly unconfirmed?: boolean;
  /** A write has changed the resource: it is never fresh again, and stands in only where the origin allows it. */
  readonly invalidated?: boolean;
}

export function reuseOf(
  freshness: Freshness,
  now: number,
  directives: RequestDirectives,
  allowed: StalePolicy,
  { unconfirmed = false, invalidated = false }: Validity = {},
): Reuse {
  if (directives.noCache) return 'when-confirmed';
  const age = ageOf(freshness, now);
  if (directives.forceCache && !invalidated && (freshness.standsIn || age < freshness.lifetime))
    return 'as-is';
  const ignores = (name: 'no-cache' | 'must-revalidate'): boolean =>
    allowed.disregard.includes(name) && !invalidated;
  if (freshness.noCache && !ignores('no-cache')) return 'when-confirmed';
  const unsure = unconfirmed || invalidated || freshness.noCache;
  // Such a response is never fresh, however young.
  const late = Math.max(age - freshness.lifetime, unsure ? 0 : -Infinity);
  if (late < 0) {
    const young = age <= directives.maxAge || directives.maxStale >= 0;
    return young && -late >= directives.minFresh ? 'as-is' : 'on-error';
  }
  if (!freshness.standsIn) return 'when-confirmed';
  if (freshness.mustRevalidate && !ignores('must-revalidate')) return 'when-confirmed';
  if (!unsure) {
    if (late <= directives.maxStale) return 'as-is';
    const young = age <= directives.maxAge && directives.minFresh === 0;
    if (young && late < (freshness.whileRevalidating ?? allowed.whileRevalidating))
      return 'while-revalidating';
  }
  // Where both say how long, both have to allow it.
  const said = Math.min(freshness.ifError ?? Infinity, directives.ifError ?? Infinity);
  const isSaid = freshness.ifError !== undefined || directives.ifError !== undefined;
  return late <= (isSaid ? said : allowed.maxStale) ? 'on-error' : 'when-confirmed';
}
