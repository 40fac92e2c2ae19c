import { cloneWith } from '../../core/body/request-body.ts';
import { LruMap } from '../../primitives/lru.ts';
import type { AttachedPipelines } from './attached-pipelines.ts';
import { RefreshCoordinator } from './refresh-coordinator.ts';
import { notRedirected, type Scheme, unfollowed } from './schemes.ts';
import type { CustomSettings } from './settings.ts';
import { type CredentialSource, fixedSource } from './source.ts';
import { callUserFunction, waitInRun } from './user-function.ts';

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
