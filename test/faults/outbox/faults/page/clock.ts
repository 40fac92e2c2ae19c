/** The page's wall clock, which a test sets. It has to be loaded before the library. */
const real = Date.now.bind(Date);

let ahead = Number(new URLSearchParams(location.search).get('ahead') ?? 0);

Date.now = () => real() + ahead;

/**
 * @param ms How much it is ahead of the real time from now on; below 0 behind it. Timers do not
 * follow it.
 */
export function setClock(ms: number): void {
  ahead = ms;
}
