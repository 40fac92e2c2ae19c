import type { Home } from './contract.ts';

type Listener = (partition: string) => void;

/** By the home of a pipeline, which all its policies share. */
const listeners = new WeakMap<Home, Set<Listener>>();

/** Tells a policy when somebody has new credentials: what was refused for want of them may go on. */
export function onCredentials(home: Home, listener: Listener): void {
  const known = listeners.get(home) ?? new Set();
  listeners.set(home, known.add(listener));
}

/** Somebody has new credentials. @param partition Who. */
export function haveCredentials(home: Home, partition: string): void {
  for (const listener of listeners.get(home) ?? []) listener(partition);
}
