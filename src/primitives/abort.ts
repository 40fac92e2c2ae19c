import { Link } from './linked-list.ts';

/** A signal of our own that others may follow without an event listener, which costs ten times as much. */
export interface Aborter {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

const FOLLOWERS = Symbol('holdfast.followers');

type FollowableSignal = AbortSignal & { [FOLLOWERS]?: Follower | undefined };

export function createAborter(): Aborter {
  const controller = new AbortController();
  const signal: FollowableSignal = controller.signal;
  signal[FOLLOWERS] = undefined;
  return {
    signal,
    abort(reason) {
      if (signal.aborted) return;
      controller.abort(reason);
      const followers = signal[FOLLOWERS];
      while (followers && !followers.isAlone) {
        const { after } = followers;
        after.leave();
        after.aborted(signal.reason);
      }
    },
  };
}

/** Follows a signal of our own. It may begin and end again and again, and costs nothing more. */
export class Follower extends Link {
  readonly #signal: FollowableSignal;
  readonly aborted: (reason: unknown) => void;

  /** @param aborted Called with the reason when the signal aborts. */
  constructor(signal: AbortSignal, aborted: (reason: unknown) => void) {
    super();
    this.#signal = signal;
    this.aborted = aborted;
  }

  begin(): void {
    const signal = this.#signal;
    if (signal.aborted) this.aborted(signal.reason);
    else if (this.isAlone) {
      signal[FOLLOWERS] ??= new Follower(signal, () => {});
      this.join(signal[FOLLOWERS] as this);
    }
  }
}

/**
 * Calls `aborted` with the reason when `signal` aborts, at once if it has.
 *
 * @returns ends it; nothing of ours stays on the signal.
 */
export function follow(signal: FollowableSignal, aborted: (reason: unknown) => void): () => void {
  if (!(FOLLOWERS in signal) && !signal.aborted) {
    const listener = (): void => aborted(signal.reason);
    signal.addEventListener('abort', listener, { once: true });
    return () => signal.removeEventListener('abort', listener);
  }
  const follower = new Follower(signal, aborted);
  follower.begin();
  return () => follower.leave();
}
