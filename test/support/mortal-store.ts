import type { AtomicStore } from '../../src/core/store.ts';
import type { VirtualClock } from '../../src/testing.ts';
import { guardedStore } from './guarded-store.ts';

/** When a process dies, counted in operations of its store: as the nth is asked for, or when it is done. */
export interface Death {
  readonly at: number;
  readonly when: 'asked' | 'done';
}

export interface MortalStore extends AtomicStore {
  /** How many operations were asked for. */
  readonly asked: number;
  readonly isDead: boolean;
  die(): void;
}

/**
 * A store of a process that dies at one of its operations: from then on no operation takes effect or settles.
 *
 * @param clock On which no time passes while the store works.
 */
export function mortalStore(inner: AtomicStore, clock: VirtualClock, death?: Death): MortalStore {
  let asked = 0;
  let isDead = false;
  const never = (): Promise<never> => new Promise(() => {});
  const guarded = async <T>(work: () => Promise<T>): Promise<T> => {
    if (isDead) return never();
    const isLast = ++asked === death?.at;
    if (isLast && death.when === 'asked') {
      isDead = true;
      return never();
    }
    const result = await clock.busy(work());
    if (isLast) isDead = true;
    return isDead ? never() : result;
  };
  return Object.defineProperties(guardedStore(inner, guarded), {
    asked: { get: () => asked },
    isDead: { get: () => isDead },
    die: {
      value() {
        isDead = true;
      },
    },
    // The next page goes on with it.
    close: { value: async () => {} },
  }) as MortalStore;
}
