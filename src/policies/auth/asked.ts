import { PUBLIC } from '../../core/contract.ts';
import { LruMap } from '../../core/origins.ts';
import { ofApplication, type Waiting } from './application.ts';
import type { Crew, Place } from './crew.ts';
import { AuthError, NO_TOKEN, SIGNED_OUT } from './error.ts';
import type { Secret } from './options.ts';
import { Renewals } from './renewals.ts';
import { isSendable } from './schemes.ts';
import type { Settings } from './settings.ts';
import type { Source } from './source.ts';
import type { StoredToken } from './stored-token.ts';
import { inTurn } from './turn.ts';

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
export function asked(
  secret: Exclude<Secret, string>,
  { origins, timeout }: Settings,
  crew: Crew,
  stored?: StoredToken,
): Source {
  const name = origins.join(' ');
  const renewals = new Renewals(origins[0] as string, timeout);
  const users = new LruMap<Last>(() => ({ since: -Infinity }));

  const ask = async (waiting: Waiting, { pipeline }: Place, refused?: string): Promise<string> => {
    const { partition } = waiting;
    const context = refused === undefined ? { partition } : { partition, refused };
    const signOuts = stored?.signOuts;
    let given = await ofApplication(() => secret(context), timeout, waiting, pipeline);
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
      message: 'the function for the credentials gave what no header can carry',
      transient: true,
    });
  };

  return {
    current: ask,
    async renew(refused, call, place) {
      const { partition, host } = call;
      const now = await ask(call, place);
      if (now !== refused) return now;
      const { since, secret: got } = users.get(partition);
      const age = got === refused ? since : -Infinity;
      if (!renewals.refused(partition, refused, age, host.clock)) return undefined;
      const found = (): string | undefined => {
        const last = users.get(partition);
        return last.instead === refused ? last.secret : undefined;
      };
      const work = async () => {
        const nobody = { partition, host };
        // Another tab may have seen to it.
        const there = await ask(nobody, place);
        if (there !== refused) return { secret: there };
        const next = await ask(nobody, place, refused);
        if (next === refused) return { secret: undefined };
        renewals.renewed(partition, age, host.clock);
        users.set(partition, { instead: refused, secret: next, since: host.clock.ticks() });
        return { secret: next };
      };
      const turn = () => inTurn(`holdfast auth ${name} ${partition}`, timeout, place.pipeline, work);
      return renewals.once(partition, call, place, { found, work: turn });
    },
    accepted(given, { partition }) {
      if (renewals.accepted(partition, given)) crew.notifyCredentials(partition);
    },
    forget(partition) {
      renewals.reset(partition);
      users.set(partition, { since: -Infinity });
    },
  };
}
