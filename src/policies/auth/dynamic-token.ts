import { cloneWith } from '../../core/body/request-body.ts';
import { PUBLIC } from '../../core/contract.ts';
import { LruMap } from '../../primitives/lru.ts';
import { AttachedPipelines } from './attached-pipelines.ts';
import { AuthError, NO_TOKEN, SIGNED_OUT } from './error.ts';
import type { Secret } from './options.ts';
import { withRefreshLock } from './refresh.ts';
import { RefreshCoordinator } from './refresh-coordinator.ts';
import { isSendable, notRedirected, type Scheme, unfollowed } from './schemes.ts';
import type { AuthSettings, CustomSettings } from './settings.ts';
import { type CredentialSource, callUserFunction, type SecretCaller, waitInRun } from './source.ts';
import type { StoredToken } from './token-store.ts';

/** Where a source of the application's own has its secrets from. */
interface OwnSource {
  current(caller: SecretCaller): string | Promise<string>;
  /** A secret other than the refused one; the refused one if there is no other. */
  next(caller: SecretCaller, refused: string): Promise<string>;
  /** The lock under which only one tab asks for the next; absent: each tab asks for its own. */
  readonly lock?: string;
  readonly stored?: StoredToken | undefined;
}

/** Secrets of the application: the current one with each request, and after a 401 the next one, once for all calls. */
function renewableSource(
  settings: AuthSettings,
  { current, next, lock, stored }: OwnSource,
): CredentialSource {
  const pipelines = new AttachedPipelines(() => stored?.close());
  const renewals = new RefreshCoordinator(settings);
  /** The last secret that took the place of a refused one, by user. */
  const renewed = new LruMap<{ readonly instead?: string; readonly secret?: string }>(() => ({}));
  return {
    varies: true,
    current,
    async renew(refused, caller) {
      const { partition, host, pipeline } = caller;
      const now = await current(caller);
      if (now !== refused) return now;
      if (!renewals.refused(partition, refused, host.clock)) return undefined;
      const isRenewed = renewed.get(partition).secret === refused;
      const found = (): string | undefined => {
        const last = renewed.get(partition);
        return last.instead === refused ? last.secret : undefined;
      };
      const turn = async () => {
        const background = { partition, host, pipeline };
        // Another tab may have seen to it.
        const there = await current(background);
        if (there !== refused) return { secret: there };
        const secret = await next(background, refused);
        if (secret === refused) return { secret: undefined };
        renewals.renewed(partition, isRenewed, host.clock);
        renewed.set(partition, { instead: refused, secret });
        return { secret };
      };
      const work = () =>
        lock === undefined
          ? turn()
          : withRefreshLock(`${lock} ${partition}`, settings.timeout, pipeline, turn);
      return renewals.refresh(partition, caller, { found, work });
    },
    accepted(given, partition) {
      if (renewals.accepted(partition, given)) pipelines.notifyCredentials(partition);
    },
    async signOut(partition) {
      renewals.reset(partition);
      renewed.set(partition, {});
      await stored?.remove(partition, pipelines.any);
    },
    attach: (pipeline) => pipelines.add(pipeline),
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
  stored?: StoredToken,
): CredentialSource {
  const { origins, timeout } = settings;
  const ask = async (caller: SecretCaller, refused?: string): Promise<string> => {
    const { partition, pipeline } = caller;
    const context = refused === undefined ? { partition } : { partition, refused };
    const signOuts = stored?.signOuts;
    let given = await callUserFunction(() => secret(context), timeout, caller);
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
