import { promisifyRequest } from 'idb-keyval';
import type { AtomicStore, Change } from '../../core/store.ts';
import { type PendingChange, resolveBatch } from '../batch.ts';
import type { Blobs } from './blobs.ts';
import { applyChanges, read } from './changes.ts';
import type { IdbConnection } from './connection.ts';
import { BODIES, ITEMS, withoutBody } from './records.ts';

interface Durable extends PendingChange {
  readonly strict: boolean;
}

/**
 * Changes that come while a transaction is under way, or in the same tick, share the next one: with strict durability
 * the disk is waited for once and not once a change.
 */
export function groupCommit(connection: IdbConnection, blobs: Blobs): AtomicStore['change'] {
  let queue: Durable[] = [];
  let busy = false;

  const run = async (): Promise<void> => {
    while (queue.length > 0) {
      const batch = queue;
      queue = [];
      const settle = await commit(connection, batch, blobs).catch((error) => {
        // A change that cannot be stored, or is too large for the disk, must not fail the others of its batch.
        if (batch.length > 1) return () => singly(batch);
        return () => batch[0]?.reject(error);
      });
      await settle();
    }
    busy = false;
  };

  const singly = async (batch: readonly Durable[]): Promise<void> => {
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

/** @returns resolves or rejects all changes of the batch, once they are on the disk. */
async function commit(
  connection: IdbConnection,
  batch: readonly Durable[],
  blobs: Blobs,
): Promise<() => void> {
  const durability = batch.some(({ strict }) => strict) ? 'strict' : 'relaxed';
  let changes: readonly Change[] = [];
  const settle = await connection.transaction(
    [ITEMS, BODIES],
    'readwrite',
    durability,
    async (transaction) => {
      const done = promisifyRequest(transaction);
      // Handled below; until then a failed read must not make it an unhandled rejection.
      done.catch(() => {});
      // The transaction stays open as long as the handler of the last request runs.
      const found = await read(transaction, [...new Set(batch.flatMap(({ keys }) => keys))]);
      const { settle, ...decision } = resolveBatch(
        batch,
        found.map(([key, stored]) => [key, stored && withoutBody(stored)]),
      );
      changes = [...decision.changes.values()];
      if (!blobs.ready(changes)) return transaction.abort();
      await applyChanges(transaction, changes, new Map(found), blobs);
      await done;
      return settle;
    },
  );
  if (settle)
    return () => {
      for (const each of settle) each();
    };
  await blobs.prepare(changes);
  return commit(connection, batch, blobs);
}
