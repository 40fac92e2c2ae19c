import type { AtomicStore } from '../../src/core/store.ts';
import type { VirtualClock } from '../../src/testing/index.ts';

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
 * A store of a process that dies at one of its operations: nothing that it asks for from then on happens, or is answered.
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
  return {
    get asked() {
      return asked;
    },
    get isDead() {
      return isDead;
    },
    die() {
      isDead = true;
    },
    name: inner.name,
    durable: true,
    withinOrigin: true,
    get: (key) => guarded(() => inner.get(key)),
    body: (key) => guarded(() => inner.body(key)),
    range: (query) => guarded(() => inner.range(query)),
    wholes: (prefix) => guarded(() => inner.wholes(prefix)),
    groups: (prefix, limit) => guarded(() => inner.groups(prefix, limit)),
    count: (of) => guarded(() => inner.count(of)),
    write: (changes) => guarded(() => inner.write(changes)),
    change: (keys, decide, options) => guarded(() => inner.change(keys, decide, options)),
    close: async () => {},
  };
}
