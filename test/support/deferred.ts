import type { VirtualClock } from '../../src/testing/index.ts';

/** A promise that the test resolves; no virtual time passes until then. */
export function deferred<T>({ clock }: { clock: VirtualClock }): {
  work: () => Promise<T>;
  resolve: (value: T) => void;
} {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { work: () => clock.busy(promise), resolve };
}
