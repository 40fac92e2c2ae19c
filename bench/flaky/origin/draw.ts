/** A number from 0 to below 1 that depends on nothing but the keys: the same request has the same luck in each run. */
export function draw(...keys: readonly number[]): number {
  let hash = 0x9e3779b9;
  for (const key of keys) {
    hash = Math.imul(hash ^ key, 0x85ebca6b);
    hash ^= hash >>> 13;
    hash = Math.imul(hash + 0x6d2b79f5, 0xc2b2ae35);
    hash ^= hash >>> 16;
  }
  return (hash >>> 0) / 2 ** 32;
}

export const between = ([from, to]: readonly [number, number], part: number): number =>
  from + (to - from) * part;
