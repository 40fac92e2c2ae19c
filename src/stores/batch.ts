import type { Change, Item, Transaction } from '../core/store.ts';

export const keyOfChange = (change: Change): string => ('delete' in change ? change.delete : change.put.key);

/** What several changes come to, by their keys. */
export function collapseChanges(changes: readonly Change[]): Map<string, Change> {
  const all = new Map<string, Change>();
  for (const change of changes) all.set(keyOfChange(change), merged(all.get(keyOfChange(change)), change));
  return all;
}

/**
 * A later put that says nothing of the body neither undoes an earlier one that does nor revives a deleted one. What lies in the
 * store is what the earlier one found.
 */
function merged(earlier: Change | undefined, later: Change): Change {
  if (!earlier || 'delete' in later) return later;
  const { put, body = 'delete' in earlier ? null : earlier.body } = later;
  return { put, body, isNew: 'put' in earlier && earlier.isNew === true };
}

/**
 * Makes everything ready before anything is written; then one that is refused does not hold up the others.
 *
 * @throws what the first that was refused was refused with.
 */
export async function writeAll(
  changes: readonly Change[],
  prepared: (key: string, change: Change) => Promise<() => Promise<void>>,
): Promise<void> {
  const ready = await Promise.all(
    [...collapseChanges(changes)].map(([key, change]) => prepared(key, change)),
  );
  for (const outcome of await Promise.allSettled(ready.map((write) => write())))
    if (outcome.status === 'rejected') throw outcome.reason;
}

/** A change that waits to be committed together with others. */
export interface PendingChange {
  readonly keys: readonly string[];
  readonly decide: (found: readonly (Item | undefined)[]) => Transaction<unknown>;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * What a batch comes to, one after the other: each finds what the one before it leaves.
 *
 * @param found What there was under all of their keys.
 * @returns `settle` tells each of them what became of it, once `changes` are written.
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
        const key = keyOfChange(change);
        items.set(key, 'delete' in change ? undefined : change.put);
        changes.set(key, merged(changes.get(key), change));
      }
      settle.push(() => resolve(decision.result as never));
    } catch (error) {
      settle.push(() => reject(error));
    }
  }
  return { changes, settle };
}
