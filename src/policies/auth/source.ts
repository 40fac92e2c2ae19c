import type { Call, Handler, PipelineContext } from '../../core/contract.ts';
import type { Run } from '../../core/stage.ts';
import { watchUser } from '../../core/user.ts';
import { type Aborter, createAborter } from '../../primitives/abort.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { AuthError, toAuthFailure, USER_CHANGED } from './error.ts';

/** A call, and the pipeline that it runs in. */
export interface Caller extends Call {
  readonly pipeline: PipelineContext;
}

/** A source of secrets. */
export interface CredentialSource {
  /** Requests of one partition may have credentials of several users, if the partition names no user. */
  readonly varies: boolean;
  /** The secret for a request. @throws {AuthError} if there is none. */
  current(caller: Caller): string | Promise<string>;
  /**
   * After a 401, a newer secret. Absent: there never is one.
   *
   * @returns `undefined` if there is none: the 401 stands.
   * @throws {AuthError} the same for all callers that wait.
   */
  renew?(refused: string, caller: Caller): Promise<string | undefined>;
  /** The origin has accepted the secret: no 401. */
  accepted?(secret: string, partition: string): void;
  /** Deletes the secrets of a user. */
  signOut?(partition: string): Promise<void>;
  /** @param inside Sends a request past `auth`. */
  attach?(pipeline: PipelineContext, inside: Handler): void;
}

/** One that never changes. */
export const fixedSource = (secret: string): CredentialSource => ({ varies: false, current: () => secret });

/** A call that waits, or background work without a signal. */
export type SecretCaller = Pick<Caller, 'partition' | 'host' | 'pipeline'> & {
  readonly signal?: AbortSignal;
};

/**
 * Calls a function of the application, which only knows the user that is signed in now.
 *
 * @throws {AuthError} if it fails, takes longer than `timeout`, or another user has signed in by then.
 */
export async function callUserFunction<T>(
  ask: () => T | PromiseLike<T>,
  timeout: number,
  { partition, host, pipeline, signal }: SecretCaller,
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
export function waitInRun<T>(run: Run, ask: (caller: Caller) => T | Promise<T>): T | Promise<T> {
  let own: Aborter | undefined;
  const work = ask({
    ...run.call,
    pipeline: run.pipeline,
    get signal() {
      own ??= createAborter();
      return own.signal;
    },
  });
  return work instanceof Promise ? run.wait(Infinity, work, (reason) => own?.abort(reason)) : work;
}
