import { cloneWith } from '../../core/body/request-body.ts';
import { PUBLIC } from '../../core/contract.ts';
import { LruMap } from '../../primitives/lru.ts';
import type { AttachedPipelines, Attachment } from './attached-pipelines.ts';
import { AuthError, NO_TOKEN, SIGNED_OUT } from './error.ts';
import type { Secret } from './options.ts';
import { withRefreshLock } from './refresh.ts';
import { RefreshCoordinator } from './refresh-coordinator.ts';
import { isSendable, notRedirected, type Scheme, unfollowed } from './schemes.ts';
import type { AuthSettings, CustomSettings } from './settings.ts';
import {
  type CredentialSource,
  callUserFunction,
  fixedSource,
  type RefreshCaller,
  waitInRun,
} from './source.ts';
import type { StoredToken } from './token-store.ts';

/** The last secret that took the place of a refused one. */
interface Last {
  readonly instead?: string;
  readonly secret?: string;
  /** In ticks. */
  readonly since: number;
}

/** Where a source of the application's own has its secrets from. */
interface OwnSource {
  current(caller: RefreshCaller, attachment: Attachment): string | Promise<string>;
  /** A token other than the refused one; the refused one if there is no other. */
  next(caller: RefreshCaller, attachment: Attachment, refused: string): Promise<string>;
  /** The lock under which only one tab asks for the next; absent: each tab asks for its own. */
  readonly lock?: string;
}

/** Secrets of the application: the current one with each request, and after a 401 the next one, once for all calls. */
function renewableSource(
  { origins, timeout }: AuthSettings,
  pipelines: AttachedPipelines,
  { current, next, lock }: OwnSource,
): CredentialSource {
  const renewals = new RefreshCoordinator(origins[0] as string, timeout);
  const users = new LruMap<Last>(() => ({ since: -Infinity }));
  return {
    current,
    async renew(refused, call, attachment) {
      const { partition, host } = call;
      const now = await current(call, attachment);
      if (now !== refused) return now;
      const { since, secret } = users.get(partition);
      const age = secret === refused ? since : -Infinity;
      if (!renewals.refused(partition, refused, age, host.clock)) return undefined;
      const found = (): string | undefined => {
        const last = users.get(partition);
        return last.instead === refused ? last.secret : undefined;
      };
      const turn = async () => {
        const background = { partition, host };
        // Another tab may have seen to it.
        const there = await current(background, attachment);
        if (there !== refused) return { secret: there };
        const secret = await next(background, attachment, refused);
        if (secret === refused) return { secret: undefined };
        renewals.renewed(partition, age, host.clock);
        users.set(partition, { instead: refused, secret, since: host.clock.ticks() });
        return { secret };
      };
      const work = () =>
        lock === undefined
          ? turn()
          : withRefreshLock(`${lock} ${partition}`, timeout, attachment.pipeline, turn);
      return renewals.refresh(partition, call, attachment, { found, work });
    },
    accepted(given, { partition }) {
      if (renewals.accepted(partition, given)) pipelines.notifyCredentials(partition);
    },
    forget(partition) {
      renewals.reset(partition);
      users.set(partition, { since: -Infinity });
    },
  };
}

/**
 * A secret that the application knows: asked for with each request, and after a 401 once for all calls.
 *
 * @param stored The function's last token; used if it returns none.
 */
export function dynamicToken(
  secret: Exclude<Secret, string>,
  settings: AuthSettings,
  pipelines: AttachedPipelines,
  stored?: StoredToken,
): CredentialSource {
  const { origins, timeout } = settings;
  const ask = async (waiting: RefreshCaller, { pipeline }: Attachment, refused?: string): Promise<string> => {
    const { partition } = waiting;
    const context = refused === undefined ? { partition } : { partition, refused };
    const signOuts = stored?.signOuts;
    let given = await callUserFunction(() => secret(context), timeout, waiting, pipeline);
    const isNew = given !== undefined && given !== '';
    if (!isNew && stored) given = await stored.read(partition, pipeline);
    if (given === undefined || given === '')
      throw new AuthError(partition === '' || partition === PUBLIC ? SIGNED_OUT : NO_TOKEN);
    if (typeof given === 'string' && isSendable(given)) {
      if (isNew && signOuts === stored?.signOuts) stored?.keep(partition, given, pipeline);
      return given;
    }
    throw new AuthError({
      code: 'credentials-failed',
      message: 'token() returned characters that are not allowed in a header',
      transient: true,
    });
  };
  return renewableSource(settings, pipelines, {
    current: (caller, attachment) => ask(caller, attachment),
    next: ask,
    lock: `holdfast auth ${origins.join(' ')}`,
  });
}

/** Credentials that the application sets itself. */
export const customScheme = ({ authorize, timeout }: CustomSettings): Scheme => ({
  has: () => false,
  async sign(request, _, run) {
    const { partition } = run.call;
    const own = cloneWith(request, unfollowed(request));
    const given = await waitInRun(run, (call) =>
      callUserFunction(() => authorize(own, { partition }), timeout, call, run.pipeline),
    );
    return given instanceof Request ? given : own;
  },
  received: notRedirected,
});

/** The version of the application's credentials, in place of a secret. */
export function versionedSource(settings: CustomSettings, pipelines: AttachedPipelines): CredentialSource {
  const { refresh, timeout } = settings;
  if (!refresh) return fixedSource('');
  const versions = new LruMap(() => 0);
  const current = ({ partition }: RefreshCaller): string => String(versions.get(partition));
  return renewableSource(settings, pipelines, {
    current,
    async next(caller, { pipeline }) {
      const { partition } = caller;
      await callUserFunction(() => refresh({ partition }), timeout, caller, pipeline);
      versions.set(partition, versions.get(partition) + 1);
      return current(caller);
    },
  });
}
