import { onTestFinished } from 'vitest';

/** Until the test has ended: what the browser says of its page, also where there is none. */
export function browserSays({ saveData, hidden }: { saveData?: boolean; hidden?: boolean }): {
  /** The page is looked at again, or no more. */
  turn(hidden: boolean): void;
} {
  const world = globalThis as { document?: EventTarget; navigator?: object };
  const say = (of: object, name: string, get: () => unknown): void => {
    const before = Object.getOwnPropertyDescriptor(of, name);
    Object.defineProperty(of, name, { configurable: true, get });
    onTestFinished(() => {
      Reflect.deleteProperty(of, name);
      if (before) Object.defineProperty(of, name, before);
    });
  };
  const document = world.document ?? new EventTarget();
  if (!world.document) say(world, 'document', () => document);
  let isHidden = hidden ?? false;
  say(document, 'visibilityState', () => (isHidden ? 'hidden' : 'visible'));
  if (!world.navigator) say(world, 'navigator', () => ({}));
  say(world.navigator as object, 'connection', () => ({ saveData }));
  return {
    turn(hidden) {
      isHidden = hidden;
      document.dispatchEvent(new Event('visibilitychange'));
    },
  };
}
