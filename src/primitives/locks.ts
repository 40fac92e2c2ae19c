import { follow } from './abort.ts';
import { hashOf } from './hash.ts';

/** Runs a task while no other runs under the same name. */
export type Lock = <T>(name: string, signal: AbortSignal, task: () => Promise<T>) => Promise<T>;

/** A position in a queue. */
export interface QueuePosition {
  /** Resolves when all earlier positions have ended; absent for the first. */
  readonly before: Promise<void> | undefined;
  /** Releases the next position; idempotent. */
  end(): void;
}

/** First-in, first-out queues by name: positions are taken at once, the work to get ready may take any time. */
export class KeyedQueue {
  readonly #last = new Map<string, Promise<void>>();

  take(name: string): QueuePosition {
    const before = this.#last.get(name);
    let end = (): void => {};
    const own = new Promise<void>((resolve) => {
      end = resolve;
    });
    const all = before ? before.then(() => own) : own;
    this.#last.set(name, all);
    void all.then(() => {
      if (this.#last.get(name) === all) this.#last.delete(name);
    });
    return { before, end };
  }
}

/** The locks of a realm without Web Locks. */
const ofRealm = /* @__PURE__ */ new KeyedQueue();

/** The used part of Web Locks. Not every platform has their types, and this file is compiled beside those of all. */
interface WebLocks {
  request<T>(
    name: string,
    options: { readonly signal?: AbortSignal; readonly ifAvailable?: boolean },
    task: (lock: object | null) => T | PromiseLike<T>,
  ): Promise<T>;
}

const webLocks = (): WebLocks | undefined =>
  (globalThis as { navigator?: { locks?: WebLocks } }).navigator?.locks;

/**
 * Web Locks, which hold over tabs and workers of an origin; where there are none (Bun, Workers, insecure pages), one
 * after the other within this realm.
 */
export const withLock: Lock = (name, signal, task) => {
  const locks = webLocks();
  const inLine = (): ReturnType<typeof task> => queued(ofRealm, name, signal, task);
  if (!locks) return inLine();
  return unlessRefused((begin) => locks.request(lockName(name), { signal }, begin), task, inLine);
};

/** Pages without an origin of their own may not use Web Locks, and share nothing that a lock guards: then `otherwise` runs. */
async function unlessRefused<T, Result>(
  request: (begin: () => Promise<T>) => Promise<Result>,
  task: () => Promise<T>,
  otherwise: () => Promise<T>,
): Promise<T | Result> {
  let began = false;
  const begin = (): Promise<T> => {
    began = true;
    return task();
  };
  try {
    return await request(begin);
  } catch (error) {
    if (began || (error as Partial<DOMException> | undefined)?.name !== 'SecurityError') throw error;
    return otherwise();
  }
}

/** WebKit rejects names of more than 1,024 characters. */
const LONGEST = 1_000;

/** A long name ends in a hash. Two names that become one share a lock, and wait for each other in vain at most. */
function lockName(name: string): string {
  if (name.length <= LONGEST) return name;
  return `${name.slice(0, LONGEST - 10)} ${hashOf(name).toString(36)}`;
}

const queues = new WeakMap<object, KeyedQueue>();

/**
 * A lock among users of the same object, such as the storage of a Durable Object: a task
 * waits for the one before, but not for one that was evicted with its object.
 */
export function withLocalLock(shared: object): Lock {
  const queue = queues.get(shared) ?? new KeyedQueue();
  queues.set(shared, queue);
  return (name, signal, task) => queued(queue, name, signal, task);
}

/** An aborted waiter leaves the queue at once; the order of the others is kept. */
function queued<T>(queue: KeyedQueue, name: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
  const { before, end } = queue.take(name);
  return new Promise((resolve, reject) => {
    const unfollow = follow(signal, reject);
    const turn = async (): Promise<T> => {
      await before;
      unfollow();
      signal.throwIfAborted();
      return task();
    };
    turn().finally(end).then(resolve, reject);
  });
}

/**
 * Runs a task if none runs under the same name, over tabs and workers; without Web Locks, in any case.
 *
 * @returns `undefined` if another task runs.
 */
export async function tryWithLock<T>(name: string, task: () => Promise<T>): Promise<T | undefined> {
  const locks = webLocks();
  if (!locks) return task();
  const options = { ifAvailable: true };
  return unlessRefused(
    (begin) => locks.request(lockName(name), options, (lock) => (lock ? begin() : undefined)),
    task,
    task,
  );
}

/** Limits how many tasks run at once; the others wait in first-in, first-out order. */
export class Semaphore {
  #free: number;
  readonly #waiting: (() => void)[] = [];

  constructor(slots: number) {
    this.#free = slots;
  }

  async run<T>(work: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((turn) => this.#waiting.push(turn));
    try {
      return await work();
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** Runs a task for each item in order, at most `limit` at once. @throws the first error; it does not stop the other tasks. */
export async function forEachConcurrently<T>(
  items: Iterable<T>,
  limit: number,
  task: (item: T) => Promise<void>,
): Promise<void> {
  const left = [...items];
  const worker = async (): Promise<void> => {
    while (left.length > 0) await task(left.shift() as T);
  };
  await Promise.all(Array.from({ length: Math.min(limit, left.length) }, worker));
}
