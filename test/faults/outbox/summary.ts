import type { Story } from './lives.ts';
import type { Reckoning } from './reckoning.ts';

/** A run in a few lines. */
export function summary(
  name: string,
  { plan, seconds }: Story,
  { counts, losses, wrongs }: Reckoning,
): string {
  const { kills, seed } = plan;
  const { accepted, unknown, delivered, dead, deadAndApplied, refused, duplicates } = counts;
  return [
    `${name}, seed ${seed}: ${kills} kills in ${seconds.toFixed(0)} s, ${(seconds / kills).toFixed(2)} s each`,
    `  ${accepted} writes accepted, ${unknown} more of unknown outcome; ${delivered} delivered`,
    `  dead letters: ${each(dead)}; ${deadAndApplied} of them taken by the origin all the same`,
    `  refused: ${each(refused)}; ${duplicates} duplicates on the wire`,
    `  the browser: ${each(lengths(losses))}`,
    `  wrong: ${each(lengths(wrongs))}`,
  ].join('\n');
}

const lengths = (lists: object): Record<string, number> =>
  Object.fromEntries(Object.entries(lists).map(([what, list]) => [what, list.length]));

const each = (counts: Readonly<Record<string, number>>): string =>
  Object.entries(counts)
    .map(([what, count]) => `${count} ${what}`)
    .join(', ') || 'none';
