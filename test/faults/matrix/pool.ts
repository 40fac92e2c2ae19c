/**
 * Does all the work, as many tasks at a time as there is room for. Results are in the order of the
 * work.
 */
export async function inRoom<Work, Result>(
  room: number,
  work: readonly Work[],
  takes: (work: Work) => number,
  run: (work: Work) => Promise<Result>,
): Promise<Result[]> {
  const results: Result[] = [];
  const waiting = [...work.entries()];
  const running = new Set<Promise<void>>();
  let taken = 0;
  while (waiting.length > 0) {
    const [index, next] = waiting.shift() as [number, Work];
    const needs = Math.min(takes(next), room);
    while (taken + needs > room) await Promise.race(running);
    taken += needs;
    const done: Promise<void> = run(next).then((result) => {
      results[index] = result;
      taken -= needs;
      running.delete(done);
    });
    running.add(done);
  }
  await Promise.all(running);
  return results;
}
