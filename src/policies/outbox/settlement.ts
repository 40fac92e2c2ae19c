import { follow } from '../../core/abort.ts';
import { ClosedError } from '../../core/errors.ts';
import { lost, type Settled, UndeliveredError } from './answers.ts';
import type { OutboxEntry } from './entry.ts';
import type { Parts } from './parts.ts';

/**
 * Waits for what becomes of an entry, here or in another page.
 *
 * @returns `end` ends the waiting; `look` reads whether it has happened already.
 */
export function settlement(
  entry: OutboxEntry,
  { queue, answers, ask }: Parts,
  resolve: (settled: Settled) => void,
  reject: (error: unknown) => void,
): { end: () => void; look: () => Promise<void> } {
  const read = async (): Promise<void> => {
    const stored = await ask(() => queue.result(entry.key));
    // Gone without an answer: removed.
    if (!stored && (await ask(() => queue.get(entry.key)))) return;
    end();
    if (stored) resolve(stored);
    else if (await ask(() => queue.isRemembered(entry))) reject(lost(entry.id));
    else reject(new UndeliveredError('outbox-removed', entry.id, { code: 'removed' }));
  };
  const look = (): Promise<void> => read().catch(reject);
  const end = answers.wait(entry.key, (settled) => {
    if (!settled) return void look();
    end();
    resolve(settled);
  });
  return { end, look };
}

/** @throws {ClosedError} when the pipeline closes first. */
export function awaited(entry: OutboxEntry, parts: Parts): Promise<Settled> {
  return new Promise((resolve, reject) => {
    let unfollow = (): void => {};
    const fail = (error: unknown): void => {
      settled.end();
      unfollow();
      reject(error);
    };
    const settled = settlement(
      entry,
      parts,
      (value) => {
        unfollow();
        resolve(value);
      },
      fail,
    );
    unfollow = follow(parts.pipeline.signal, () => fail(new ClosedError()));
    void settled.look();
  });
}
