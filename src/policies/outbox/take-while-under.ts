/** The longest prefix with a total weight of at most `most`, and at least one item, if there is any. */
export function takeWhileUnder<T>(some: readonly T[], weigh: (one: T) => number, most: number): T[] {
  let sum = 0;
  const end = some.findIndex((one) => {
    sum += weigh(one);
    return sum > most;
  });
  return end < 0 ? [...some] : some.slice(0, Math.max(1, end));
}
