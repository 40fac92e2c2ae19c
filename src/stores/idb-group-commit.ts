import { promisifyRequest } from 'idb-keyval';
import type { AtomicStore, Change, Decision, Item } from '../core/store.ts';
import { keyOf, merged } from './changes.ts';
import type { Blobs } from './idb-blobs.ts';
import { applyChanges } from './idb-changes.ts';
import type { Connection } from './idb-connection.ts';
import { BODIES, ITEMS } from './idb-layout.ts';

interface Waiting {
  readonly keys: readonly string[];
  readonly decide: (found: readonly (Item | undefined)[]) => Decision<unknown>;
  readonly strict: boolean;
  readonly resolve: (result: never) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Changes that come while a transaction is under way, or in the same tick, share the next one: with strict durability
 * the disk is waited for once and not once a change.
 */
export function groupCommit(connection: Connection, blobs: Blobs): AtomicStore['change'] {
  let queue: Waiting[] = [];
  let busy = false;

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      const settle = await commit(connection, batch, blobs).catch((error) => {
        // One that cannot be stored, or is too large for the disk, is not to fail those who came with it.
        if (batch.length > 1) return () => singly(batch);
        return () => batch[0]?.reject(error);
      });
      await settle();
    }
    busy = false;
  };

  const singly = async (batch: readonly Waiting[]): Promise<void> => {
    for (const each of batch) {
      const settle = await commit(connection, [each], blobs).catch((error) => () => each.reject(error));
      settle();
    }
  };

  return (keys, decide, { strict = false } = {}) =>
    new Promise((resolve, reject) => {
      queue.push({ keys, decide, strict, resolve, reject });
      if (busy) return;
      busy = true;
      queueMicrotask(run);
    });
}

/** @returns tells everybody in the batch what became of it, once it is on the disk. */
async function commit(connection: Connection, batch: readonly Waiting[], blobs: Blobs): Promise<() => void> {
  const durability = batch.some(({ strict }) => strict) ? 'strict' : 'relaxed';
  const changes = new Map<string, Change>();
  const settle = await connection.transaction(
    [ITEMS, BODIES],
    'readwrite',
    durability,
    async (transaction) => {
      const keys = [...new Set(batch.flatMap((each) => each.keys))];
      const store = transaction.objectStore(ITEMS);
      const done = promisifyRequest(transaction);
      // Heard below; until then a failed read must not make it an unhandled rejection.
      done.catch(() => {});
      // One request a key, answered in order; the transaction stays open as long as the last one's handler runs.
      const found = await Promise.all(keys.map((key) => promisifyRequest<Item | undefined>(store.get(key))));
      const items = new Map(keys.map((key, at) => [key, found[at]]));
      const settle: (() => void)[] = [];
      for (const { keys, decide, resolve, reject } of batch) {
        try {
          const decision = decide(keys.map((key) => items.get(key)));
          for (const change of decision.changes) {
            const key = keyOf(change);
            // The next in the batch finds what this one leaves.
            items.set(key, 'delete' in change ? undefined : change.put);
            changes.set(key, merged(changes.get(key), change));
          }
          settle.push(() => resolve(decision.result as never));
        } catch (error) {
          settle.push(() => reject(error));
        }
      }
      if (!blobs.ready(changes.values())) return transaction.abort();
      applyChanges(transaction, changes.values(), blobs);
      await done;
      return settle;
    },
  );
  if (settle)
    return () => {
      for (const each of settle) each();
    };
  await blobs.prepare(changes.values());
  return commit(connection, batch, blobs);
}
