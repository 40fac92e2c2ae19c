import { systemClock } from './clock.ts';
import type { Connectivity, Host } from './contract.ts';

/** `navigator.onLine` and its events, where there are any; elsewhere always online. */
const systemConnectivity: Connectivity = {
  get state() {
    return globalThis.navigator?.onLine !== false;
  },
  subscribe(listener) {
    // Node, Deno and Workers have no such events; a service worker has them on its global scope only in some engines.
    if (typeof globalThis.addEventListener !== 'function') return () => {};
    const up = (): void => listener(true);
    const down = (): void => listener(false);
    globalThis.addEventListener('online', up);
    globalThis.addEventListener('offline', down);
    return () => {
      globalThis.removeEventListener('online', up);
      globalThis.removeEventListener('offline', down);
    };
  },
};

/** Filled at once, because each call of the platform costs as much as a hundred numbers. */
const pool = new Uint32Array(64);
let left = 0;

const bits = (): number => {
  if (left === 0) {
    crypto.getRandomValues(pool);
    left = pool.length;
  }
  return pool[--left] as number;
};

/** The platform as it is. */
export const systemHost: Host = {
  clock: systemClock,
  // Keys and ids are made of it: a few numbers of `Math.random` give away all the others. 53 bits in [0, 1).
  random: () => ((bits() >>> 5) * 2 ** 26 + (bits() >>> 6)) / 2 ** 53,
  connectivity: systemConnectivity,
  get canShareIO() {
    return globalThis.navigator?.userAgent !== 'Cloudflare-Workers';
  },
};
