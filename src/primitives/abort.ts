/** A place in a circular list, or the list itself. To join and to leave costs no memory, unlike in a `Set`. */
export class Link {
  /** Alone, it is its own neighbour. */
  before: this = this;
  after: this = this;

  get isAlone(): boolean {
    return this.after === this;
  }

  /** Joins at the end. */
  join(list: this): void {
    this.before = list.before;
    this.after = list;
    this.before.after = this;
    list.before = this;
  }

  leave(): void {
    this.before.after = this.after;
    this.after.before = this.before;
    this.before = this;
    this.after = this;
  }
}

/** A signal that others may follow without an event listener, which costs ten times as much. */
export interface Aborter {
  readonly signal: AbortSignal;
  abort(reason: unknown): void;
}

const FOLLOWERS = Symbol('holdfast.followers');

type FollowableSignal = AbortSignal & { [FOLLOWERS]?: Link | undefined };

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
        const after = followers.after as Follower;
        after.leave();
        after.owner.aborted(signal.reason);
      }
    },
  };
}

interface Abortable {
  /** The signal has aborted. */
  aborted(reason: unknown): void;
}

/** Follows a signal for its owner. It may begin and leave again and again, and costs nothing more. */
export class Follower extends Link {
  readonly #signal: FollowableSignal;
  readonly owner: Abortable;

  constructor(signal: AbortSignal, owner: Abortable) {
    super();
    this.#signal = signal;
    this.owner = owner;
  }

  get #isOurs(): boolean {
    return FOLLOWERS in this.#signal;
  }

  /** If the signal has aborted, its owner is called at once. */
  begin(): void {
    const signal = this.#signal;
    if (signal.aborted) this.owner.aborted(signal.reason);
    else if (!this.#isOurs) signal.addEventListener('abort', this, { once: true });
    else if (this.isAlone) {
      signal[FOLLOWERS] ??= new Link();
      this.join(signal[FOLLOWERS] as this);
    }
  }

  override leave(): void {
    if (this.#isOurs) super.leave();
    else this.#signal.removeEventListener('abort', this);
  }

  /** Of a platform's signal. */
  handleEvent(): void {
    this.owner.aborted(this.#signal.reason);
  }
}

/**
 * Calls `aborted` with the reason when `signal` aborts, at once if it has.
 *
 * @returns ends it; no listener stays on the signal.
 */
export function follow(signal: AbortSignal, aborted: (reason: unknown) => void): () => void {
  const follower = new Follower(signal, { aborted });
  follower.begin();
  return () => follower.leave();
}

/**
 * The end of a pipeline. Its signal is made at first use: a Worker may make none while it starts, and one that was made
 * for one request is of no use to another.
 */
export class ShutdownSignal {
  readonly #listeners = new Set<(reason: unknown) => void>();
  #aborter: Aborter | undefined;
  #end: { readonly reason: unknown } | undefined;

  get isClosed(): boolean {
    return this.#end !== undefined;
  }

  get signal(): AbortSignal {
    this.#aborter ??= createAborter();
    if (this.#end) this.#aborter.abort(this.#end.reason);
    return this.#aborter.signal;
  }

  /** @returns ends the subscription. */
  subscribe(listener: (reason: unknown) => void): () => void {
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  close(reason: unknown): void {
    if (this.#end) return;
    this.#end = { reason };
    this.#aborter?.abort(reason);
    for (const listener of this.#listeners) listener(reason);
    this.#listeners.clear();
  }
}
