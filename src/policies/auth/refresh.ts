import type { PipelineContext } from '../../core/contract.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { DeadlineError } from '../../primitives/clock.ts';
import { withLock } from '../../primitives/locks.ts';

/**
 * Runs a task while no other tab or worker runs one of the same name. If I/O belongs to one request, calls cannot wait for one
 * another: the task runs at once.
 *
 * @param timeout How long to wait for the lock, in ms.
 * @param task Called with how long it waited, in ms.
 * @param holdUntil Work that keeps the lock afterwards; the caller does not wait for it.
 * @throws {DeadlineError} after `timeout`; a `ClosedError` if the pipeline is closed first. The task has not run.
 */
export function withRefreshLock<T>(
  name: string,
  timeout: number,
  { host, signal }: PipelineContext,
  task: (waited: number) => Promise<T>,
  holdUntil?: () => Promise<void>,
): Promise<T> {
  if (!host.canShareIO) return task(0);
  const since = host.clock.ticks();
  const line = createAborter();
  const cancel = host.clock.after(timeout, () =>
    line.abort(new DeadlineError('the lock is held by another tab')),
  );
  const unfollow = follow(signal, line.abort);
  const leave = (): void => {
    cancel();
    unfollow();
  };
  return new Promise((resolve, reject) => {
    let begun = false;
    const run = (): Promise<T> => {
      begun = true;
      leave();
      return task(host.clock.ticks() - since);
    };
    const held = async (): Promise<void> => {
      const running = run();
      running.then(resolve, reject);
      await running.then(holdUntil, () => {});
    };
    withLock(name, line.signal, held).catch(() => {
      leave();
      if (begun) return;
      // Pages without an origin of their own have no locks.
      if (line.signal.aborted) reject(line.signal.reason);
      else run().then(resolve, reject);
    });
  });
}
