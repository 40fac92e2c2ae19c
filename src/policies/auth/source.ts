import { cloneWith } from '../../core/body/request-body.ts';
import { type Handler, type PipelineContext, PUBLIC } from '../../core/contract.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import type { Run } from '../../core/stage.ts';
import { notifyCredentials, watchUser } from '../../core/user.ts';
import { type Aborter, createAborter } from '../../primitives/abort.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { LruMap } from '../../primitives/lru.ts';
import { AuthError, NO_TOKEN, SIGNED_OUT, toAuthFailure, USER_CHANGED } from './error.ts';
import type { Secret } from './options.ts';
import { type Caller, RefreshCoordinator, withRefreshLock } from './refresh.ts';
import { isSendable, notRedirected, type Scheme, unfollowed } from './schemes.ts';
import type { AuthSettings, CustomSettings } from './settings.ts';
import type { StoredToken } from './tokens.ts';

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

/** The pipelines that share one policy. */
export class AttachedPipelines {
  readonly #pipelines = new Set<PipelineContext>();

  /** @param onLastClosed Called when the last of them has been closed. */
  add(pipeline: PipelineContext, onLastClosed: () => void): void {
    this.#pipelines.add(pipeline);
    pipeline.onClose(() => {
      this.#pipelines.delete(pipeline);
      if (this.isEmpty) onLastClosed();
    });
  }

  /** Any of them, for work without a call. */
  get any(): PipelineContext {
    const [pipeline] = this.#pipelines;
    if (pipeline) return pipeline;
    throw new ConfigurationError(
      'auth',
      'this auth',
      'give it to createClient or createFetch before you use it',
    );
  }

  get isEmpty(): boolean {
    return this.#pipelines.size === 0;
  }

  emit(event: HoldfastEvent): void {
    for (const pipeline of this.#pipelines) pipeline.emit(event);
  }

  /** Entries that wait for credentials may go on. */
  notifyCredentials(partition: string): void {
    for (const pipeline of this.#pipelines) notifyCredentials(pipeline, partition);
  }
}

/** A call that waits, or background work without a signal. */
type SecretCaller = Pick<Caller, 'partition' | 'host' | 'pipeline'> & Partial<Pick<Caller, 'signal'>>;

/**
 * Calls a function of the application, which only knows the user that is signed in now.
 *
 * @throws {AuthError} if it fails, takes longer than `timeout`, or another user has signed in by then.
 */
async function callUserFunction<T>(
  ask: () => T | PromiseLike<T>,
  timeout: number,
  caller: SecretCaller,
): Promise<T> {
  const isStill = watchUser(caller.partition, caller.pipeline);
  let given: T;
  try {
    given = await withDeadline(timeout, caller, ask());
  } catch (error) {
    caller.signal?.throwIfAborted();
    const failure = toAuthFailure(error, 'credentials-failed', 'the function for the credentials failed');
    throw new AuthError(failure);
  }
  if (isStill()) return given;
  throw new AuthError(USER_CHANGED);
}

/** Where a source of the application's own has its secrets from. */
interface OwnSource {
  current(caller: SecretCaller): string | Promise<string>;
  /** A secret other than the refused one; the refused one if there is no other. */
  next(caller: SecretCaller, refused: string): Promise<string>;
  /** The lock under which only one tab asks for the next; absent: each tab asks for its own. */
  readonly lock?: string;
  readonly stored?: StoredToken | undefined;
}

/** Whether the calls of a partition may be of several users, as on a server without a partition for each. */
const isOfNoUser = (partition: string): boolean => partition === '' || partition === PUBLIC;

/** The key of what is known of a user; where the partition names none, the user is the one with this secret. */
const ownerOf = (partition: string, secret: string): string =>
  isOfNoUser(partition) ? `${partition} ${secret}` : partition;

/** Secrets of the application: the current one with each request, and after a 401 the next one, once for all calls. */
function renewableSource(
  settings: AuthSettings,
  { current, next, lock, stored }: OwnSource,
): CredentialSource {
  const pipelines = new AttachedPipelines();
  const renewals = new RefreshCoordinator(settings);
  /** The last secret that took the place of a refused one, by owner. */
  const renewed = new LruMap<{ readonly instead?: string; readonly secret?: string }>(() => ({}));
  return {
    varies: true,
    current,
    async renew(refused, caller) {
      const { partition, host, pipeline } = caller;
      const now = await current(caller);
      if (now !== refused) return now;
      const owner = ownerOf(partition, refused);
      // The entries of a partition wait for any other secret.
      renewals.refused(partition, refused, host.clock);
      if (!renewals.refused(owner, refused, host.clock)) return undefined;
      const isRenewed = renewed.get(owner).secret === refused;
      const found = (): string | undefined => {
        const last = renewed.get(owner);
        return last.instead === refused ? last.secret : undefined;
      };
      const turn = async () => {
        const background = { partition, host, pipeline };
        // Another tab may have seen to it.
        const there = await current(background);
        if (there !== refused) return { secret: there };
        const secret = await next(background, refused);
        if (secret === refused) return { secret: undefined };
        const renewal = { instead: refused, secret };
        const later = ownerOf(partition, secret);
        renewals.renewed(owner, isRenewed, host.clock, later);
        renewed.set(owner, renewal);
        renewed.set(later, renewal);
        return { secret };
      };
      const work = () =>
        lock === undefined
          ? turn()
          : withRefreshLock(`${lock} ${partition}`, settings.timeout, pipeline, turn);
      return renewals.refresh(owner, caller, { found, work });
    },
    accepted(given, partition) {
      const isOther = renewals.accepted(partition, given);
      renewals.accepted(ownerOf(partition, given), given);
      if (isOther) pipelines.notifyCredentials(partition);
    },
    async signOut(partition) {
      renewals.reset(partition);
      renewed.set(partition, {});
      await stored?.remove(partition, pipelines.any);
    },
    attach: (pipeline) => pipelines.add(pipeline, () => stored?.close()),
  };
}

/**
 * A secret that the application knows: text, or a function, which is called for each request, and after a 401 once for all
 * calls.
 *
 * @param stored The function's last token; used if it returns none.
 */
export function secretSource(secret: Secret, settings: AuthSettings, stored?: StoredToken): CredentialSource {
  if (typeof secret === 'string') return { varies: false, current: () => secret };
  const { origins, timeout } = settings;
  const ask = async (caller: SecretCaller, refused?: string): Promise<string> => {
    const { partition, pipeline } = caller;
    const context = refused === undefined ? { partition } : { partition, refused };
    const signOuts = stored?.signOuts;
    let given = await callUserFunction(() => secret(context), timeout, caller);
    const isNew = given !== undefined && given !== '';
    if (!isNew && stored) given = await stored.read(partition, pipeline);
    if (given === undefined || given === '')
      throw new AuthError(isOfNoUser(partition) ? SIGNED_OUT : NO_TOKEN);
    if (typeof given === 'string' && isSendable(given)) {
      if (isNew && signOuts === stored?.signOuts) stored?.keep(partition, given, pipeline);
      return given;
    }
    const message = 'token() returned characters that are not allowed in a header';
    throw new AuthError({ code: 'credentials-failed', message, transient: true });
  };
  return renewableSource(settings, {
    current: (caller) => ask(caller),
    next: ask,
    lock: `holdfast auth ${origins.join(' ')}`,
    stored,
  });
}

/** Credentials that the application sets itself. */
export const customScheme = ({ authorize, timeout }: CustomSettings): Scheme => ({
  has: () => false,
  async sign(request, _, run) {
    const { partition } = run.call;
    const own = cloneWith(request, unfollowed(request));
    const given = await waitInRun(run, (caller) =>
      callUserFunction(() => authorize(own, { partition }), timeout, caller),
    );
    return given instanceof Request ? given : own;
  },
  received: notRedirected,
});

/** The version of the application's credentials, in place of a secret. */
export function versionedSource(settings: CustomSettings): CredentialSource {
  const { refresh, timeout } = settings;
  const versions = new LruMap(() => 0);
  const current = ({ partition }: SecretCaller): string => String(versions.get(partition));
  if (!refresh) return { varies: true, current };
  return renewableSource(settings, {
    current,
    async next(caller) {
      const { partition } = caller;
      await callUserFunction(() => refresh({ partition }), timeout, caller);
      versions.set(partition, versions.get(partition) + 1);
      return current(caller);
    },
  });
}
