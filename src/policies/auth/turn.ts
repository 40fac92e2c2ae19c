import { createAborter, follow } from '../../core/abort.ts';
import { DeadlineError } from '../../core/clock.ts';
import type { PipelineContext } from '../../core/contract.ts';
import { withLock } from '../../core/locks.ts';

/**
 * Runs a task while no other tab or worker runs one of the same name. Where I/O belongs to one request nobody waits for
 * another's: there the task runs at once.
 *
 * @param patience How long it may stand in line, in ms.
 * @param task Is told how long it stood in line, in ms.
 * @param linger What the next one is kept waiting for afterwards; the caller is not.
 * @throws {OverdueError} after `patience`; a `ClosedError` when the pipeline is closed meanwhile. The task has not run.
 */
export function inTurn<T>(
  name: string,
  patience: number,
  { host, signal }: PipelineContext,
  task: (waited: number) => Promise<T>,
  linger?: () => Promise<void>,
): Promise<T> {
  if (!host.canShareIO) return task(0);
  const since = host.clock.ticks();
  const line = createAborter();
  const cancel = host.clock.after(patience, () => line.abort(new DeadlineError('another one is at it')));
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
      await running.then(linger, () => {});
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
