import { type Aborter, createAborter } from '../../core/abort.ts';
import { withDeadline } from '../../core/clock.ts';
import type { Call, PipelineContext } from '../../core/contract.ts';
import { watchUser } from '../../core/signed-in.ts';
import type { Run } from '../../core/stage.ts';
import { AuthError, troubleOf, USER_CHANGED } from './error.ts';

/** Who waits for it: a call, or nobody. */
export type Waiting = Pick<Call, 'partition' | 'host'> & { readonly signal?: AbortSignal };

/**
 * Asks a function of the application's own, which knows only who is signed in now.
 *
 * @throws {AuthError} where it fails, or takes longer than `timeout`; or where somebody else has signed in meanwhile.
 */
export async function ofApplication<T>(
  ask: () => T | PromiseLike<T>,
  timeout: number,
  { partition, host, signal }: Waiting,
  pipeline: PipelineContext,
): Promise<T> {
  const isStill = watchUser(partition, pipeline);
  let given: T;
  try {
    given = await withDeadline(timeout, { host, ...(signal && { signal }) }, ask());
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new AuthError(troubleOf(error, 'credentials-failed', 'the function for the credentials failed'));
  }
  if (!isStill()) throw new AuthError(USER_CHANGED);
  return given;
}

/** Waits in a run for work that is told by the signal of its call when the run ends. */
export function untilOver<T>(run: Run, ask: (call: Call) => T | Promise<T>): T | Promise<T> {
  let own: Aborter | undefined;
  const call: Call = {
    ...run.call,
    get signal() {
      own ??= createAborter();
      return own.signal;
    },
  };
  const work = ask(call);
  return work instanceof Promise ? run.wait(Infinity, work, (reason) => own?.abort(reason)) : work;
}
