import type { VirtualClock } from '../../src/testing/index.ts';

/** Work that ends when the test says so; no time passes until then. */
export function held<T>({ clock }: { clock: VirtualClock }): {
  step: () => Promise<T>;
  letGo: (value: T) => void;
} {
  let letGo = (_: T): void => {};
  const work = new Promise<T>((give) => {
    letGo = give;
  });
  return { step: () => clock.busy(work), letGo: (value) => letGo(value) };
}
