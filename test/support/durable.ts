import type { AtomicStore } from '../../src/core/store.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { guardedStore } from './guarded-store.ts';

export interface FaultyStore extends AtomicStore {
  /** Operations from now on fail, or hang, until `heal()`. */
  break(how: 'fail' | 'hang'): void;
  heal(): void;
}

/** A memory store that says it is durable, so that a second pipeline over it plays a reload; and that can be broken. */
export function durableStore(): FaultyStore {
  const inner = memoryStore();
  let broken: 'fail' | 'hang' | undefined;
  const guarded = <T>(work: () => Promise<T>): Promise<T> => {
    if (broken === 'hang') return new Promise(() => {});
    if (broken === 'fail') return Promise.reject(new DOMException('disk full', 'QuotaExceededError'));
    return work();
  };
  return {
    ...guardedStore(inner, guarded),
    name: 'durable',
    break: (how) => {
      broken = how;
    },
    heal: () => {
      broken = undefined;
    },
  };
}
