import type { Change, Item, Transaction } from '../core/store.ts';
import { keyOfChange, merged } from './collapse-changes.ts';

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
