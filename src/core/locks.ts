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
