/** As many of the first ones as weigh no more than `most` together, and at least one, if there is any. */
export function light<T>(some: readonly T[], weigh: (one: T) => number, most: number): T[] {
  let sum = 0;
  const end = some.findIndex((one) => {
    sum += weigh(one);
    return sum > most;
  });
  return end < 0 ? [...some] : some.slice(0, Math.max(1, end));
}
