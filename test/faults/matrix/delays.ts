import { places, traffic } from './server.ts';

/** The interval of the measurement, in ms. */
const INTERVAL = 100;

/** The worst delay that each row has seen so far, in ms. */
interface Watch {
  worst: number;
}

const watches = new Set<Watch>();
let since = 0;
let isLooking = false;

/** A busy machine delays timers, or a server that is well, or the connection to it. */
async function look(): Promise<void> {
  if (isLooking) return;
  isLooking = true;
  while (watches.size > 0) {
    since = performance.now();
    await traffic(places.other(), '/pulse').catch(() => {});
    await new Promise((next) => setTimeout(next, INTERVAL));
    const late = delay();
    for (const watch of watches) watch.worst = Math.max(watch.worst, late);
  }
  isLooking = false;
}

const delay = (): number => performance.now() - since - INTERVAL;

/** @returns a function that ends the measurement, and returns the worst delay, in ms. */
export function watchDelays(): () => number {
  const watch: Watch = { worst: 0 };
  watches.add(watch);
  void look();
  return () => {
    watches.delete(watch);
    return Math.max(watch.worst, delay());
  };
}
