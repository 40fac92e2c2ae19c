import type { Call, PipelineContext } from '../../core/contract.ts';
import type { Run } from '../../core/stage.ts';
import { watchUser } from '../../core/user.ts';
import { type Aborter, createAborter } from '../../primitives/abort.ts';
import { withDeadline } from '../../primitives/clock.ts';
import type { Attachment } from './attached-pipelines.ts';
import { AuthError, toAuthFailure, USER_CHANGED } from './error.ts';

/** A source of secrets. */
export interface CredentialSource {
  /** The secret for a request. @throws {AuthError} if there is none. */
  current(call: Call, attachment: Attachment): string | Promise<string>;
  /**
   * After a 401, a newer secret. Absent: there never is one.
   *
   * @returns `undefined` if there is none: the 401 stands.
   * @throws {AuthError} the same for all callers that wait.
   */
  renew?(refused: string, call: Call, attachment: Attachment): Promise<string | undefined>;
  /** The origin has accepted the secret: no 401. */
  accepted?(secret: string, call: Call): void;
  /** A user signs out: no secret of this user stays in memory. */
  forget?(partition: string): void;
}

/** One that never changes. */
export const fixedSource = (secret: string): CredentialSource => ({ current: () => secret });

/** The call that waits, or background work without a signal. */
export type RefreshCaller = Pick<Call, 'partition' | 'host'> & { readonly signal?: AbortSignal };

/**
 * Calls a function of the application, which only knows the user that is signed in now.
 *
 * @throws {AuthError} if it fails, takes longer than `timeout`, or another user has signed in by then.
 */
export async function callUserFunction<T>(
  ask: () => T | PromiseLike<T>,
  timeout: number,
  { partition, host, signal }: RefreshCaller,
  pipeline: PipelineContext,
): Promise<T> {
  const isStill = watchUser(partition, pipeline);
  let given: T;
  try {
    given = await withDeadline(timeout, { host, ...(signal && { signal }) }, ask());
  } catch (error) {
    if (signal?.aborted) throw signal.reason;
    throw new AuthError(
      toAuthFailure(error, 'credentials-failed', 'the function for the credentials failed'),
    );
  }
  if (!isStill()) throw new AuthError(USER_CHANGED);
  return given;
}

/** Waits in a run for work; the signal of its call aborts when the run ends. */
export function waitInRun<T>(run: Run, ask: (call: Call) => T | Promise<T>): T | Promise<T> {
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
