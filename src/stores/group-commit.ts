import type { AtomicStore, Change, Item, Transaction } from '../core/store.ts';

export const blobsOf = (changes: Iterable<Change>): Blob[] =>
  [...changes].flatMap((change) => ('put' in change && change.body instanceof Blob ? [change.body] : []));

/** The sum of several changes, by key. */
export function collapseChanges(changes: readonly Change[]): Map<string, Change> {
  const all = new Map<string, Change>();
  for (const change of changes) add(all, change);
  return all;
}

/** A later put without a body keeps the body of an earlier put; after a deletion there is none. */
function add(changes: Map<string, Change>, later: Change): void {
  const key = 'put' in later ? later.put.key : later.delete;
  const earlier = changes.get(key);
  if (!earlier || 'delete' in later) return void changes.set(key, later);
  const { put, body = 'put' in earlier ? earlier.body : null } = later;
  changes.set(key, { put, body, isNew: 'put' in earlier && earlier.isNew === true });
}

/** A change that waits to be committed together with others. */
export interface PendingChange {
  readonly keys: readonly string[];
  readonly decide: (found: readonly (Item | undefined)[]) => Transaction<unknown>;
  /** One strict change makes the commit of its whole batch strict. */
  readonly strict: boolean;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Changes that are asked for at once, or while a commit is under way, share the next one: the disk is waited for once and
 * not once a change.
 *
 * @param commit Commits a batch. @returns settles each of its changes.
 * @param afterwards Called when no change waits.
 */
export function groupCommit(
  commit: (batch: readonly PendingChange[]) => Promise<readonly (() => void)[]>,
  afterwards = async (): Promise<void> => {},
): Pick<AtomicStore, 'change' | 'write'> & { idle(): Promise<void> } {
  let queue: PendingChange[] = [];
  let running: Promise<void> | undefined;

  const together = async (batch: readonly PendingChange[]): Promise<void> => {
    try {
      for (const settle of await commit(batch)) settle();
    } catch (error) {
      if (batch.length === 1) return batch[0]?.reject(error);
      // A change that cannot be stored, or is too large, must not fail the others of its batch.
      const half = Math.ceil(batch.length / 2);
      await together(batch.slice(0, half));
      await together(batch.slice(half));
    }
  };

  const run = async (): Promise<void> => {
    await undefined;
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      await together(batch);
      if (queue.length === 0) await afterwards();
    }
    running = undefined;
  };

  const change: AtomicStore['change'] = (keys, decide, { strict = false } = {}) =>
    new Promise((resolve, reject) => {
      queue.push({ keys, decide, strict, resolve, reject });
      running ??= run();
    });

  return {
    change,
    write: (changes) => change([], () => ({ changes, result: undefined })),
    idle: async () => running,
  };
}

/** Rejects each change of a batch that must not be committed again in halves. */
export const rejectAll = (batch: readonly PendingChange[], error: unknown): readonly (() => void)[] =>
  batch.map(
    ({ reject }) =>
      () =>
        reject(error),
  );

/**
 * Decides the changes of a batch in order: each sees the state that the one before it leaves.
 *
 * @param found The stored items of all their keys.
 * @returns `settle` resolves or rejects each change, once `changes` are written.
 */
export function resolveBatch(
  batch: readonly PendingChange[],
  found: Iterable<readonly [key: string, item: Item | undefined]>,
): { changes: Map<string, Change>; settle: (() => void)[] } {
  const items = new Map(found);
  const changes = new Map<string, Change>();
  const settle: (() => void)[] = [];
  for (const { keys, decide, resolve, reject } of batch) {
    try {
      const decision = decide(keys.map((key) => items.get(key)));
      for (const change of decision.changes) {
        if ('delete' in change) items.set(change.delete, undefined);
        else items.set(change.put.key, change.put);
        add(changes, change);
      }
      settle.push(() => resolve(decision.result as never));
    } catch (error) {
      settle.push(() => reject(error));
    }
  }
  return { changes, settle };
}
