import type { PipelineContext } from './contract.ts';

type Listener = (partition: string) => void;

/** By pipeline. */
const listeners = new WeakMap<PipelineContext, Set<Listener>>();

/** Calls a listener when a user has new credentials: entries that wait for them may go on. */
export function onCredentials(pipeline: PipelineContext, listener: Listener): void {
  const known = listeners.get(pipeline) ?? new Set();
  listeners.set(pipeline, known.add(listener));
}

/** Emits that a user has new credentials. @param partition The user. */
export function notifyCredentials(pipeline: PipelineContext, partition: string): void {
  for (const listener of listeners.get(pipeline) ?? []) listener(partition);
}
