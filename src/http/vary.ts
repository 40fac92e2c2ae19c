import { CREDENTIALS } from './credentials.ts';

/** The values of the request's headers that a response varies by; a missing header is `null`. */
export type Varying = readonly (readonly [name: string, value: string | null])[];

/** @param vary The response's `Vary`, which is hidden across origins unless it is exposed. */
export function varying(vary: string | null, request: Headers): Varying {
  const names = (vary ?? '').toLowerCase().split(',');
  // Whose answer it is, the partition says; and tokens change.
  const distinct = new Set(
    names.map((name) => name.trim()).filter((name) => name && !CREDENTIALS.includes(name)),
  );
  return [...distinct].sort().map((name) => [name, normal(request.get(name))] as const);
}

/** RFC 9111, 4.1: a stored response answers a request that has the same values. */
export const variesLike = (stored: Varying, request: Headers): boolean =>
  stored.every(([name, value]) => normal(request.get(name)) === value);

/** White space around list members says nothing. */
const normal = (value: string | null): string | null => value?.trim().replace(/\s*,\s*/g, ', ') ?? null;
