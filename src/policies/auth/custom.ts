import { LruMap } from '../../core/origins.ts';
import { cloneWith } from '../../core/replay.ts';
import { ofApplication, untilOver } from './application.ts';
import type { Crew } from './crew.ts';
import { Renewals } from './renewals.ts';
import { notRedirected, type Scheme, unfollowed } from './schemes.ts';
import type { CustomSettings } from './settings.ts';
import { fixed, type Source } from './source.ts';

/** Credentials of the application's own making. */
export const customScheme = ({ authorize, timeout }: CustomSettings): Scheme => ({
  has: () => false,
  async sign(request, _, run) {
    const { partition } = run.call;
    const own = cloneWith(request, unfollowed(request));
    const given = await untilOver(run, (call) =>
      ofApplication(() => authorize(own, { partition }), timeout, call, run.pipeline),
    );
    return given instanceof Request ? given : own;
  },
  received: notRedirected,
});

/** What there is in place of a secret: which it is of those that the application has had in turn. */
export function generations({ refresh, origins, timeout }: CustomSettings, crew: Crew): Source {
  if (!refresh) return fixed('');
  const renewals = new Renewals(origins[0] as string, timeout);
  const users = new LruMap(() => ({ nth: 0, since: -Infinity }));
  return {
    current: ({ partition }) => String(users.get(partition).nth),
    async renew(refused, call, place) {
      const { partition, host } = call;
      const { nth, since } = users.get(partition);
      const found = (): string | undefined => {
        const now = String(users.get(partition).nth);
        return now === refused ? undefined : now;
      };
      if (!found() && !renewals.refused(partition, refused, since, host.clock)) return undefined;
      const work = async () => {
        await ofApplication(() => refresh({ partition }), timeout, { partition, host }, place.pipeline);
        renewals.renewed(partition, since, host.clock);
        users.set(partition, { nth: nth + 1, since: host.clock.ticks() });
        return { secret: String(nth + 1) };
      };
      return renewals.once(partition, call, place, { found, work });
    },
    accepted(given, { partition }) {
      if (renewals.accepted(partition, given)) crew.notifyCredentials(partition);
    },
  };
}
