type Follower = (reason: unknown) => void;

/** A signal of our own that others may follow without an event listener. */
export interface Aborter {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

// Following a signal of ours costs a set entry; an event listener on an AbortSignal costs ten times that.
const followers = new WeakMap<AbortSignal, Set<Follower>>();

export function aborter(): Aborter {
  const controller = new AbortController();
  const { signal } = controller;
  const own = new Set<Follower>();
  followers.set(signal, own);
  return {
    signal,
    abort(reason) {
      if (signal.aborted) return;
      controller.abort(reason);
      for (const follower of own) follower(signal.reason);
      own.clear();
    },
  };
}

/**
 * Calls `follower` with the reason when `signal` aborts, at once if it has.
 *
 * @returns ends it; nothing of ours stays on the signal.
 */
export function follow(signal: AbortSignal, follower: Follower): () => void {
  if (signal.aborted) {
    follower(signal.reason);
    return () => {};
  }
  const own = followers.get(signal);
  if (own) {
    own.add(follower);
    return () => own.delete(follower);
  }
  const listener = (): void => follower(signal.reason);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}
