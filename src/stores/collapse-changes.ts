import type { Change } from '../core/store.ts';

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
export function merged(earlier: Change | undefined, later: Change): Change {
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
