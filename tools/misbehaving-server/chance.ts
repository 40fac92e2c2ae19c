/**
 * The n-th throw of a die that is named by a seed and a label, from 0 to 1. It has no state, so that a run can be
 * repeated from its seed alone, and two series do not disturb each other.
 */
export function chance(seed: number, label: string, nth: number): number {
  let hash = 0x811c9dc5 ^ seed;
  for (const character of `${label}#${nth}`) {
    hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  // FNV leaves neighbours alike; these are the finishing steps of MurmurHash3, which scatter them.
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) / 2 ** 32;
}
