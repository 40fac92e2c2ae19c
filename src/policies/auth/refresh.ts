import { sleep } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import type { Place } from './crew.ts';
import { refreshFailed, SIGNED_OUT } from './error.ts';
import { type Answer, exchange } from './grant.ts';
import type { Keeper } from './keeper.ts';
import type { Outcome, Renewal } from './renewals.ts';
import type { OAuth2Settings } from './settings.ts';
import { type Held, leftOf, momentOf, tokensOf } from './tokens.ts';
import { inTurn } from './turn.ts';

/** How long what another tab tells may be on its way, in ms. */
const HEARSAY = 100;

/** Whoever had to wait longer for their turn, in ms, had somebody before them. */
const UNCONTENDED = 5;

/** What holds over tabs. */
export const lockOf = ({ name }: OAuth2Settings, user: string): string => `holdfast auth ${name} ${user}`;

/**
 * Gets new tokens in place of those that run out or were refused, unless another call, tab or process has been faster: a
 * refresh token that is used twice is often the end of all that came of it (RFC 9700, 4.14.2).
 *
 * @param renewed Told where it was done because the origin had refused what there was.
 */
export function refresh(
  user: string,
  held: Held | undefined,
  { host, waitUntil }: Call,
  place: Place,
  settings: OAuth2Settings,
  keeper: Keeper,
  renewed: () => void,
): Renewal {
  const { pipeline } = place;
  const { clock } = host;
  let kept: Promise<void> | undefined;
  const keep = (now: () => Promise<void>): void => {
    kept = now();
    waitUntil(kept);
  };

  const found = (): string | undefined => {
    const now = keeper.held(user);
    return now && now !== held && leftOf(now, clock) > 0 ? now.tokens.accessToken : undefined;
  };
  /** Where somebody has signed in, or out, in the meantime. */
  const otherwise = (): Outcome => {
    const secret = found();
    return secret === undefined ? { trouble: SIGNED_OUT } : { secret };
  };

  const ask = async (): Promise<Outcome> => {
    const there = await keeper.look(user, place);
    if ((held && !there) || keeper.isGone(user) || found() !== undefined) return otherwise();
    const before = there?.tokens;
    const moment = momentOf(clock);
    const isPoor = settings.grant === 'refresh_token' && before?.refreshToken === undefined;
    const answer: Answer = isPoor
      ? { refused: true }
      : await exchange(settings, user, before?.refreshToken, place);
    if (keeper.held(user) !== there || keeper.isGone(user)) return otherwise();
    if ('trouble' in answer) return answer;
    if ('refused' in answer) {
      // A process that shares no locks may have used it up, and has left what came of it.
      if ((await keeper.look(user, place)) !== there) return otherwise();
      keep(keeper.remove(user, 'refused', place));
      return { trouble: SIGNED_OUT };
    }
    const tokens = tokensOf(answer.said, moment, true, before);
    if (typeof tokens === 'string') return { trouble: refreshFailed(`the token endpoint gave ${tokens}`) };
    if (held?.refused) renewed();
    keep(keeper.put(user, { tokens, since: moment.ticks, refused: false }, 'refreshed', place));
    return { secret: tokens.accessToken };
  };

  const turn = async (waited: number): Promise<Outcome> => {
    // Whoever was at it has told us, but that may still be on its way.
    if (keeper.isByHearsay && waited > UNCONTENDED) await sleep(HEARSAY, pipeline);
    return ask();
  };
  // Until it is written the next one would find what has been used up.
  const linger = async (): Promise<void> => kept;
  return { found, work: () => inTurn(lockOf(settings, user), settings.timeout, pipeline, turn, linger) };
}
