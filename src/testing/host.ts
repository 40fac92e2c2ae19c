import type { Connectivity, Host } from '../core/contract.ts';
import { type VirtualClock, virtualClock } from './clock.ts';

export interface TestHost extends Host {
  readonly clock: VirtualClock;
  readonly connectivity: SwitchedConnectivity;
}

export interface SwitchedConnectivity extends Connectivity {
  set(online: boolean): void;
}

/**
 * A network that goes up and down when the test says so.
 *
 * @example
 * const connectivity = switchedConnectivity();
 * connectivity.subscribe((isOnline) => log(isOnline));
 * connectivity.set(false);
 */
export function switchedConnectivity(): SwitchedConnectivity {
  const listeners = new Set<(online: boolean) => void>();
  let state = true;
  return {
    get state() {
      return state;
    },
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    set(online) {
      state = online;
      for (const listener of [...listeners]) listener(online);
    },
  };
}

/**
 * Chance that is the same in every run with the same seed (mulberry32).
 *
 * @example
 * const random = seeded(1);
 * random(); // the same number in each run
 */
export function seeded(seed = 1): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Virtual time, seeded chance, a network with a switch.
 *
 * @example
 * const host = testHost({ seed: 7 });
 * const fetch = createFetch({ host, fetch: scriptedOrigin(host.clock).fetch });
 * host.connectivity.set(false);
 */
export const testHost = ({ seed = 1, canShareIO = true, clock = virtualClock() } = {}): TestHost => ({
  clock,
  random: seeded(seed),
  connectivity: switchedConnectivity(),
  canShareIO,
});
