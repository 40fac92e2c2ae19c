import type { AtomicStore } from '../../src/core/store.ts';

/** Every operation of a store but `close`, each through a guard that may fail it, hold it up, or count it. */
export const guardedStore = (
  inner: AtomicStore,
  guarded: <T>(work: () => Promise<T>) => Promise<T>,
): AtomicStore => ({
  ...inner,
  durable: true,
  withinOrigin: true,
  get: (key) => guarded(() => inner.get(key)),
  body: (key) => guarded(() => inner.body(key)),
  range: (query) => guarded(() => inner.range(query)),
  rangeWithBodies: (query) => guarded(() => inner.rangeWithBodies(query)),
  groups: (prefix, limit) => guarded(() => inner.groups(prefix, limit)),
  count: (of) => guarded(() => inner.count(of)),
  write: (changes) => guarded(() => inner.write(changes)),
  change: (keys, decide, options) => guarded(() => inner.change(keys, decide, options)),
});
