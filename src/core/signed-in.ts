import type { PipelineContext } from './contract.ts';

/** The partition of the signed-in user; `undefined` if no user is signed in. */
export function currentPartition(pipeline: PipelineContext): string | undefined {
  try {
    return pipeline.partition();
  } catch {
    return undefined;
  }
}

/**
 * Watches a user over a wait.
 *
 * @returns whether `partition` is signed in, and no other user was seen since, not even for a moment.
 */
export function watchUser(partition: string, pipeline: PipelineContext): () => boolean {
  const isNow = (): boolean => (currentPartition(pipeline) ?? '') === partition;
  const wasThen = isNow();
  const before = pipeline.userChanges();
  return () => wasThen && isNow() && pipeline.userChanges() === before;
}
