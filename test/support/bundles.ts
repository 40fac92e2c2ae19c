import type { outboxPolicy } from '../../src/policies/outbox/outbox.ts';

/** The outbox from a second copy of its modules, as a second bundle has them; under Vitest. */
export async function otherBundle(query: string): Promise<typeof outboxPolicy> {
  const module_ = `../../src/policies/outbox/outbox.ts?${query}`;
  const copy = (await import(/* @vite-ignore */ module_)) as { outboxPolicy: typeof outboxPolicy };
  return copy.outboxPolicy;
}

const SHARED = Symbol.for('holdfast outboxes 1');

/** Runs something as in another realm: another process, tab or worker. */
export function inOtherRealm<T>(work: () => T): T {
  const own: unknown = Reflect.get(globalThis, SHARED);
  Reflect.deleteProperty(globalThis, SHARED);
  try {
    return work();
  } finally {
    Reflect.set(globalThis, SHARED, own);
  }
}
