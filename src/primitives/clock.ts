import { follow, Link } from './abort.ts';

/** Timers beyond this fire at once (HTML, "timer initialization steps": a signed 32-bit number). */
const LONGEST = 2 ** 31 - 1;

/** Timers of at least this length, in whole ms, are shared: the limits of calls, which hardly ever pass. */
const SHARED_FROM = 1_000;

/** The platform's clock. */
export const systemClock: Clock = {
  now: () => Date.now(),
  ticks: () => performance.now(),
  after(ms, task, { background = false } = {}) {
    const isShared = ms >= SHARED_FROM && ms <= LONGEST && Number.isInteger(ms) && !background;
    return isShared && mayShareTimers() ? lineOf(ms).add(task) : single(ms, task, background);
  },
};

function single(ms: number, task: () => void, background: boolean): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const arm = (left: number): void => {
    timer = setTimeout(() => (left > LONGEST ? arm(left - LONGEST) : task()), Math.min(left, LONGEST));
    if (background) keepAlive(timer, false);
  };
  if (ms !== Infinity) arm(ms);
  return () => clearTimeout(timer);
}

/** In Workers a timer, as all I/O, belongs to one request. */
export const isWorkers = globalThis.navigator?.userAgent === 'Cloudflare-Workers';

const platforms = globalThis.setTimeout;

/** Fakes are used singly, as what put them there expects. */
export const mayShareTimers = (): boolean => globalThis.setTimeout === platforms && !isWorkers;

class Entry extends Link {
  readonly due: number;
  readonly task: () => void;

  constructor(due: number, task: () => void) {
    super();
    this.due = due;
    this.task = task;
  }
}

/** One timer of the platform for all tasks of one length. It outlives them, and then does not keep a process alive. */
class Line {
  readonly #ms: number;
  /** In the order in which they are due. */
  readonly #entries = new Entry(0, () => {});
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(ms: number) {
    this.#ms = ms;
  }

  add(task: () => void): () => void {
    const entry = new Entry(performance.now() + this.#ms, task);
    if (this.#timer === undefined) this.#arm(this.#ms);
    else if (this.#entries.isAlone) keepAlive(this.#timer, true);
    entry.join(this.#entries);
    return () => {
      if (entry.isAlone) return;
      entry.leave();
      if (this.#entries.isAlone && this.#timer !== undefined) keepAlive(this.#timer, false);
    };
  }

  #arm(ms: number): void {
    this.#timer = setTimeout(() => this.#ring(), ms);
  }

  #ring(): void {
    const entries = this.#entries;
    const now = performance.now();
    try {
      // Timers may fire a fraction of a millisecond early.
      while (!entries.isAlone && entries.after.due - now < 1) {
        const { after } = entries;
        after.leave();
        after.task();
      }
    } finally {
      // Also after a task that threw: the others run all the same.
      clearTimeout(this.#timer);
      this.#timer = undefined;
      if (entries.isAlone) lines.delete(this.#ms);
      else this.#arm(entries.after.due - now);
    }
  }
}

const lines = new Map<number, Line>();

function lineOf(ms: number): Line {
  let line = lines.get(ms);
  if (!line) {
    line = new Line(ms);
    lines.set(ms, line);
  }
  return line;
}

/** Node and Bun hand out an object, Deno a number and functions of its own; a browser needs neither. */
function keepAlive(timer: unknown, is: boolean): void {
  if (typeof timer === 'object') (timer as { ref?(): void; unref?(): void })[is ? 'ref' : 'unref']?.();
  else {
    const { Deno } = globalThis as {
      Deno?: { refTimer?(id: unknown): void; unrefTimer?(id: unknown): void };
    };
    Deno?.[is ? 'refTimer' : 'unrefTimer']?.(timer);
  }
}

/**
 * Waits on the host's clock.
 *
 * @throws the signal's reason, as soon as it aborts.
 */
export function sleep(
  ms: number,
  { host, signal }: { host: { readonly clock: Clock }; signal: AbortSignal },
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(signal.reason);
    const cancel = host.clock.after(ms, () => {
      unfollow();
      resolve();
    });
    const unfollow = follow(signal, (reason) => {
      cancel();
      reject(reason);
    });
  });
}

/** Work of the application or of a store did not end in time; it may go on. */
export class DeadlineError extends Error {}

/**
 * Waits for work of the application or of a store, up to a deadline. A frozen page uses up nothing of it.
 *
 * @throws the signal's reason as soon as it aborts; a `DeadlineError` after `ms`. The work itself goes on.
 */
export function withDeadline<T>(
  ms: number,
  { host, signal }: { host: { readonly clock: Clock }; signal?: AbortSignal },
  work: T | PromiseLike<T>,
): Promise<T> {
  const { clock } = host;
  return new Promise((resolve, reject) => {
    let cancel = (): void => {};
    let unfollow = (): void => {};
    let late = clock.ticks() + ms + 1_000;
    const wait = (): void => {
      cancel = clock.after(ms, () => {
        if (clock.ticks() < late) return end(() => reject(new DeadlineError(`no result in ${ms} ms`)));
        // Late if the page was frozen, and the work with it. Once: timers of a hidden page are always late.
        late = Infinity;
        wait();
      });
    };
    wait();
    const end = (settle: () => void): void => {
      cancel();
      unfollow();
      settle();
    };
    if (signal) unfollow = follow(signal, (reason) => end(() => reject(reason)));
    Promise.resolve(work).then(
      (value) => end(() => resolve(value)),
      (error) => end(() => reject(error)),
    );
  });
}

export interface Clock {
  /** Wall time in ms since the epoch, for what is stored. It may jump. */
  now(): number;
  /** Monotonic ms, for durations. */
  ticks(): number;
  /**
   * Runs `task` once after `ms`.
   *
   * @param options.background The timer does not keep a process alive.
   * @returns cancels it; harmless afterwards.
   */
  after(ms: number, task: () => void, options?: { background?: boolean }): () => void;
}
