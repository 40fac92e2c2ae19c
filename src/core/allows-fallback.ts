import type { Call } from './contract.ts';

/**
 * Whether a response of the library may take the place of a failure.
 *
 * @param byRule The decision of the policy's own rules.
 */
export function allowsFallback({ strategy }: Call, outcome: unknown, byRule: boolean): boolean {
  const decision = strategy?.(outcome);
  if (decision === 'fall-back') return true;
  return decision === 'fail-fast' || decision === 'skip' ? false : byRule;
}
