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

/** The last that was got in place of one that was refused. */
interface Last {
  readonly instead?: string;
  readonly secret?: string;
  /** In ticks. */
  readonly since: number;
}

/**
 * A secret that the application knows: asked for with each request, and after a 401 once for all calls.
 *
 * @param stored What the function gave last; used if it gives none.
 */
export function dynamicToken(
  secret: Exclude<Secret, string>,
  { origins, timeout }: AuthSettings,
  pipelines: AttachedPipelines,
  stored?: StoredToken,
): CredentialSource {
  const name = origins.join(' ');
  const renewals = new RefreshCoordinator(origins[0] as string, timeout);
  const users = new LruMap<Last>(() => ({ since: -Infinity }));

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

  return {
    current: ask,
    async renew(refused, call, attachment) {
      const { partition, host } = call;
      const now = await ask(call, attachment);
      if (now !== refused) return now;
      const { since, secret: got } = users.get(partition);
      const age = got === refused ? since : -Infinity;
      if (!renewals.refused(partition, refused, age, host.clock)) return undefined;
      const found = (): string | undefined => {
        const last = users.get(partition);
        return last.instead === refused ? last.secret : undefined;
      };
      const work = async () => {
        const background = { partition, host };
        // Another tab may have seen to it.
        const there = await ask(background, attachment);
        if (there !== refused) return { secret: there };
        const next = await ask(background, attachment, refused);
        if (next === refused) return { secret: undefined };
        renewals.renewed(partition, age, host.clock);
        users.set(partition, { instead: refused, secret: next, since: host.clock.ticks() });
        return { secret: next };
      };
      const turn = () =>
        withRefreshLock(`holdfast auth ${name} ${partition}`, timeout, attachment.pipeline, work);
      return renewals.refresh(partition, call, attachment, { found, work: turn });
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
export function versionedSource(
  { refresh, origins, timeout }: CustomSettings,
  pipelines: AttachedPipelines,
): CredentialSource {
  if (!refresh) return fixedSource('');
  const renewals = new RefreshCoordinator(origins[0] as string, timeout);
  const users = new LruMap(() => ({ nth: 0, since: -Infinity }));
  return {
    current: ({ partition }) => String(users.get(partition).nth),
    async renew(refused, call, attachment) {
      const { partition, host } = call;
      const { nth, since } = users.get(partition);
      const found = (): string | undefined => {
        const now = String(users.get(partition).nth);
        return now === refused ? undefined : now;
      };
      if (!found() && !renewals.refused(partition, refused, since, host.clock)) return undefined;
      const work = async () => {
        await callUserFunction(
          () => refresh({ partition }),
          timeout,
          { partition, host },
          attachment.pipeline,
        );
        renewals.renewed(partition, since, host.clock);
        users.set(partition, { nth: nth + 1, since: host.clock.ticks() });
        return { secret: String(nth + 1) };
      };
      return renewals.refresh(partition, call, attachment, { found, work });
    },
    accepted(given, { partition }) {
      if (renewals.accepted(partition, given)) pipelines.notifyCredentials(partition);
    },
  };
}
