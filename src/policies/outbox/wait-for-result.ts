import { ClosedError } from '../../core/errors.ts';
import { follow } from '../../primitives/abort.ts';
import type { OutboxContext } from './context.ts';
import type { ResultWithBody } from './encryption.ts';
import type { OutboxEntry } from './entry.ts';
import { resultLost, UndeliveredError } from './results.ts';

/**
 * Waits for the result of an entry, from this page or another one.
 *
 * @returns `end` ends the wait; `look` reads whether the result is there already.
 */
export function waitForResult(
  entry: OutboxEntry,
  { queue, waiters, ask }: OutboxContext,
  resolve: (settled: ResultWithBody) => void,
  reject: (error: unknown) => void,
): { end: () => void; look: () => Promise<void> } {
  const read = async (): Promise<void> => {
    const stored = await ask(() => queue.result(entry.key));
    // Deleted without a result: removed.
    if (!stored && (await ask(() => queue.get(entry.key)))) return;
    end();
    if (stored) resolve(stored);
    else if (await ask(() => queue.hasKnownId(entry))) reject(resultLost(entry.id));
    else reject(new UndeliveredError('outbox-removed', entry.id, { code: 'removed' }));
  };
  const look = (): Promise<void> => read().catch(reject);
  const end = waiters.wait(entry.key, (settled) => {
    if (!settled) return void look();
    end();
    resolve(settled);
  });
  return { end, look };
}

/** @throws {ClosedError} when the pipeline closes first. */
export function awaitResult(entry: OutboxEntry, context: OutboxContext): Promise<ResultWithBody> {
  return new Promise((resolve, reject) => {
    let unfollow = (): void => {};
    const fail = (error: unknown): void => {
      settled.end();
      unfollow();
      reject(error);
    };
    const settled = waitForResult(
      entry,
      context,
      (value) => {
        unfollow();
        resolve(value);
      },
      fail,
    );
    unfollow = follow(context.pipeline.signal, () => fail(new ClosedError()));
    void settled.look();
  });
}
