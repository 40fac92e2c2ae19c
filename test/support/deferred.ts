import type { VirtualClock } from '../../src/testing.ts';

export interface Deferred<T> {
  readonly work: () => Promise<T>;
  readonly resolve: (value: T) => void;
}

/** A promise that the test resolves; no virtual time passes until then. */
export function deferred<T>({ clock }: { readonly clock: VirtualClock }): Deferred<T> {
  const { promise, resolve } = Promise.withResolvers<T>();
  return { work: () => clock.busy(promise), resolve };
}
