import type { Call } from './contract.ts';

/**
 * Whether an answer of ours may be given in place of a failure.
 *
 * @param byRule What the policy's own rules say.
 */
export function allowsFallback({ strategy }: Call, outcome: unknown, byRule: boolean): boolean {
  const word = strategy?.(outcome);
  if (word === 'fall-back') return true;
  return word === 'fail-fast' || word === 'skip' ? false : byRule;
}
