import type { AtomicStore } from '../../src/core/store.ts';
import { memoryStore } from '../../src/stores/memory.ts';

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
    ...inner,
    name: 'durable',
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
    break: (how) => {
      broken = how;
    },
    heal: () => {
      broken = undefined;
    },
  };
}
