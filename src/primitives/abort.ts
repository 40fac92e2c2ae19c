/** A signal of our own that others may follow without an event listener, which costs ten times as much. */
export interface Aborter {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

const HEAD = Symbol('holdfast.followers');

type FollowableSignal = AbortSignal & { [HEAD]?: Follower | undefined };

export function createAborter(): Aborter {
  const controller = new AbortController();
  const signal: FollowableSignal = controller.signal;
  signal[HEAD] = undefined;
  return {
    signal,
    abort(reason) {
      if (signal.aborted) return;
      controller.abort(reason);
      for (let each = signal[HEAD]; each; each = each.after) if (each.isIn) each.aborted(signal.reason);
      signal[HEAD] = undefined;
    },
  };
}

/** A place in the list of a signal of our own. It may begin and end again and again, and costs nothing more. */
export class Follower {
  readonly #signal: FollowableSignal;
  readonly aborted: (reason: unknown) => void;
  isIn = false;
  before: Follower | undefined;
  after: Follower | undefined;

  /** @param aborted Called with the reason when the signal aborts. */
  constructor(signal: AbortSignal, aborted: (reason: unknown) => void) {
    this.#signal = signal;
    this.aborted = aborted;
  }

  begin(): void {
    const signal = this.#signal;
    if (signal.aborted) this.aborted(signal.reason);
    else if (!this.isIn) {
      this.isIn = true;
      this.before = undefined;
      this.after = signal[HEAD];
      if (this.after) this.after.before = this;
      signal[HEAD] = this;
    }
  }

  /** Keeps `after`: an abort that is at this place in the list goes on from here. */
  end(): void {
    if (!this.isIn) return;
    this.isIn = false;
    const { before, after } = this;
    if (before) before.after = after;
    else this.#signal[HEAD] = after;
    if (after) after.before = before;
  }
}

/**
 * Calls `aborted` with the reason when `signal` aborts, at once if it has.
 *
 * @returns ends it; nothing of ours stays on the signal.
 */
export function follow(signal: FollowableSignal, aborted: (reason: unknown) => void): () => void {
  if (!(HEAD in signal) && !signal.aborted) {
    const listener = (): void => aborted(signal.reason);
    signal.addEventListener('abort', listener, { once: true });
    return () => signal.removeEventListener('abort', listener);
  }
  const follower = new Follower(signal, aborted);
  follower.begin();
  return () => follower.end();
}
