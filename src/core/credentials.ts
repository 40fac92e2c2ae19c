import type { Home } from './contract.ts';

type Listener = (partition: string) => void;

/** By the signal of a pipeline, which all its policies have. */
const listeners = new WeakMap<AbortSignal, Set<Listener>>();

/** Tells a policy when somebody has new credentials: what was refused for want of them may go on. */
export function onCredentials({ signal }: Home, listener: Listener): void {
  const known = listeners.get(signal) ?? new Set();
  listeners.set(signal, known.add(listener));
}

/** Somebody has new credentials. @param partition Who. */
export function haveCredentials({ signal }: Home, partition: string): void {
  for (const listener of listeners.get(signal) ?? []) listener(partition);
}
