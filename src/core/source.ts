/** Where a response came from. */
export type Source = 'network' | 'cache' | 'stale' | 'outbox' | 'fallback';

/** Set only on answers that are not the network's; the transport strips it from those that are. */
export const SOURCE_HEADER = 'holdfast-source';

const sources: readonly string[] = ['cache', 'stale', 'outbox', 'fallback'];

/**
 * Says where a response came from. The mark is a header, so that it survives `clone()` and code that rebuilds responses
 * (ky's hooks and progress do).
 */
export function sourceOf(response: Response): Source {
  const mark = response.headers.get(SOURCE_HEADER);
  return mark !== null && sources.includes(mark) ? (mark as Source) : 'network';
}

/** Whether a write was accepted into the outbox and has no answer yet. */
export const isQueued = (response: Response): boolean =>
  sourceOf(response) === 'outbox' && response.status === 202;
