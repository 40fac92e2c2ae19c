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

/** The platform as it is. */
export const systemHost: Host = {
  clock: systemClock,
  random: () => Math.random(),
  online: systemConnectivity,
  get sharesIO() {
    return globalThis.navigator?.userAgent !== 'Cloudflare-Workers';
  },
};
