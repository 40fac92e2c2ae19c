/** Runs a task while nobody else runs one under the same name. */
export type Lock = <T>(name: string, signal: AbortSignal, task: () => Promise<T>) => Promise<T>;

/**
 * Web Locks, which hold over tabs and workers of an origin; where there are none (Bun, Workers, insecure pages), one
 * after the other within this realm.
 */
export const exclusively: Lock = (name, signal, task) => {
  const locks = globalThis.navigator?.locks;
  return locks ? locks.request(name, { signal }, task) : queued(name, signal, task);
};

const lines = new Map<string, Promise<unknown>>();

async function queued<T>(name: string, signal: AbortSignal, task: () => Promise<T>): Promise<T> {
  const before = lines.get(name);
  const turn = (async () => {
    await before?.catch(() => {});
    signal.throwIfAborted();
    return task();
  })();
  lines.set(name, turn);
  try {
    return await turn;
  } finally {
    if (lines.get(name) === turn) lines.delete(name);
  }
}

/**
 * Runs a task if nobody runs one under the same name, over tabs and workers; where there are no locks, in any case.
 *
 * @returns `undefined` where somebody does.
 */
export async function ifFree<T>(name: string, task: () => Promise<T>): Promise<T | undefined> {
  const locks = globalThis.navigator?.locks;
  if (!locks) return task();
  let began = false;
  const begin = (): Promise<T> => {
    began = true;
    return task();
  };
  try {
    return await locks.request(name, { ifAvailable: true }, (lock) => (lock ? begin() : undefined));
  } catch (error) {
    if (began) throw error;
    // Pages without an origin of their own are refused.
    return task();
  }
}
