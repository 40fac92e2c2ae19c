type Follower = (reason: unknown) => void;

/** A signal of our own that others may follow without an event listener, which costs ten times as much. */
export interface Aborter {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

/** One follower in the list of a signal: leaving a list costs nothing, where a `Set` would be made anew. */
interface Link {
  /** Absent once it has left; who goes through the list then passes on. */
  follower: Follower | undefined;
  before: Link | undefined;
  after: Link | undefined;
}

const FIRST = Symbol('holdfast.followers');

type Own = AbortSignal & { [FIRST]?: Link | undefined };

export function aborter(): Aborter {
  const controller = new AbortController();
  const signal: Own = controller.signal;
  signal[FIRST] = undefined;
  return {
    signal,
    abort(reason) {
      if (signal.aborted) return;
      controller.abort(reason);
      for (let link = signal[FIRST]; link; link = link.after) link.follower?.(signal.reason);
      signal[FIRST] = undefined;
    },
  };
}

/**
 * Calls `follower` with the reason when `signal` aborts, at once if it has.
 *
 * @returns ends it; nothing of ours stays on the signal.
 */
export function follow(signal: Own, follower: Follower): () => void {
  if (signal.aborted) {
    follower(signal.reason);
    return () => {};
  }
  if (FIRST in signal) return enlisted(signal, follower);
  const listener = (): void => follower(signal.reason);
  signal.addEventListener('abort', listener, { once: true });
  return () => signal.removeEventListener('abort', listener);
}

function enlisted(signal: Own, follower: Follower): () => void {
  const link: Link = { follower, before: undefined, after: signal[FIRST] };
  if (link.after) link.after.before = link;
  signal[FIRST] = link;
  return () => {
    if (!link.follower) return;
    link.follower = undefined;
    const { before, after } = link;
    if (before) before.after = after;
    else signal[FIRST] = after;
    if (after) after.before = before;
  };
}
