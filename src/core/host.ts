import { type Clock, isWorkers, systemClock } from '../primitives/clock.ts';
import { ofType, type Rule } from '../primitives/validate.ts';

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

/** Filled at once, because each call of the platform costs as much as a hundred numbers: trace ids take eight. */
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
  canShareIO: !isWorkers,
};

/** Everything that is not in the request: time, chance, connectivity, and what concurrent calls may share. */
export interface Host {
  readonly clock: Clock;
  /** In [0, 1). */
  random(): number;
  readonly connectivity: Connectivity;
  /** False where I/O belongs to one request (Workers): state may be shared between calls, promises and streams not. */
  readonly canShareIO: boolean;
}

export interface Connectivity {
  /** False is believed; true is only a hint. */
  readonly state: boolean;
  /** Calls `listener` on every change. @returns ends the subscription. */
  subscribe(listener: (online: boolean) => void): () => void;
}

/** Whether the browser is asked to save data: https://wicg.github.io/savedata/. False if the runtime does not say. */
export function prefersReducedData(): boolean {
  const { connection } = (globalThis.navigator ?? {}) as { connection?: { saveData?: boolean } };
  return connection?.saveData === true;
}

/** Whether this is a hidden page. */
export function isPageHidden(): boolean {
  const { document } = globalThis as { document?: { visibilityState?: string } };
  return document?.visibilityState === 'hidden';
}

/** A whole host; what is left out is the platform's. */
export const hostRule: Rule<Host> = (value, option) => ({
  ...systemHost,
  ...ofType<Partial<Host>>('object')(value, option),
});
