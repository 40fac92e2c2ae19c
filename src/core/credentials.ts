import type { PipelineContext } from './contract.ts';

type Listener = (partition: string) => void;

/** By the home of a pipeline, which all its policies share. */
const listeners = new WeakMap<PipelineContext, Set<Listener>>();

/** Tells a policy when somebody has new credentials: what was refused for want of them may go on. */
export function onCredentials(pipeline: PipelineContext, listener: Listener): void {
  const known = listeners.get(pipeline) ?? new Set();
  listeners.set(pipeline, known.add(listener));
}

/** Somebody has new credentials. @param partition Who. */
export function notifyCredentials(pipeline: PipelineContext, partition: string): void {
  for (const listener of listeners.get(pipeline) ?? []) listener(partition);
}
