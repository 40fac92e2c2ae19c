import type { Call } from '../../core/contract.ts';
import { sleep } from '../../primitives/clock.ts';
import type { Attachment } from './attached-pipelines.ts';
import { refreshFailed, SIGNED_OUT } from './error.ts';
import { exchange, type TokenEndpointResponse } from './grant.ts';
import type { RefreshOutcome, RefreshTask } from './refresh-coordinator.ts';
import { withRefreshLock } from './refresh-lock.ts';
import type { OAuth2Settings } from './settings.ts';
import type { TokenCache } from './token-cache.ts';
import { type IssuedTokens, leftOf, momentOf, tokensOf } from './tokens.ts';

/** How long what another tab tells may be on its way, in ms. */
const MESSAGE_DELAY = 100;

/** A longer wait for the lock, in ms, means that another tab had it. */
const UNCONTENDED = 5;

/** What holds over tabs. */
export const lockOf = ({ name }: OAuth2Settings, user: string): string => `holdfast auth ${name} ${user}`;

/**
 * Gets new tokens in place of those that run out or were refused, unless another call, tab or process has been faster: a
 * refresh token that is used twice is often the end of all that came of it (RFC 9700, 4.14.2).
 *
 * @param renewed Called if the refresh was made because the origin had refused the token.
 */
export function refresh(
  user: string,
  held: IssuedTokens | undefined,
  { host, waitUntil }: Call,
  attachment: Attachment,
  settings: OAuth2Settings,
  tokenCache: TokenCache,
  renewed: () => void,
): RefreshTask {
  const { pipeline } = attachment;
  const { clock } = host;
  let kept: Promise<void> | undefined;
  const keep = (now: () => Promise<void>): void => {
    kept = now();
    waitUntil(kept);
  };

  const found = (): string | undefined => {
    const now = tokenCache.get(user);
    return now && now !== held && leftOf(now, clock) > 0 ? now.tokens.accessToken : undefined;
  };
  /** After a sign-in or a sign-out in between. */
  const otherwise = (): RefreshOutcome => {
    const secret = found();
    return secret === undefined ? { failure: SIGNED_OUT } : { secret };
  };

  const ask = async (): Promise<RefreshOutcome> => {
    const there = await tokenCache.reload(user, attachment);
    if ((held && !there) || tokenCache.isSignedOut(user) || found() !== undefined) return otherwise();
    const before = there?.tokens;
    const moment = momentOf(clock);
    const isPoor = settings.grant === 'refresh_token' && before?.refreshToken === undefined;
    const response: TokenEndpointResponse = isPoor
      ? { refused: true }
      : await exchange(settings, user, before?.refreshToken, attachment);
    if (tokenCache.get(user) !== there || tokenCache.isSignedOut(user)) return otherwise();
    if ('failure' in response) return response;
    if ('refused' in response) {
      // A process that shares no locks may have used it up, and has left what came of it.
      if ((await tokenCache.reload(user, attachment)) !== there) return otherwise();
      keep(tokenCache.remove(user, 'refused', attachment));
      return { failure: SIGNED_OUT };
    }
    const tokens = tokensOf(response.said, moment, true, before);
    if (typeof tokens === 'string') return { failure: refreshFailed(`the token endpoint gave ${tokens}`) };
    if (held?.refused) renewed();
    keep(tokenCache.put(user, { tokens, since: moment.ticks, refused: false }, 'refreshed', attachment));
    return { secret: tokens.accessToken };
  };

  const turn = async (waited: number): Promise<RefreshOutcome> => {
    // The tab that refreshed has broadcast the tokens; give the message time to arrive.
    if (tokenCache.syncsByMessageOnly && waited > UNCONTENDED) await sleep(MESSAGE_DELAY, pipeline);
    return ask();
  };
  // Until it is written the next one would find what has been used up.
  const linger = async (): Promise<void> => kept;
  return {
    found,
    work: () => withRefreshLock(lockOf(settings, user), settings.timeout, pipeline, turn, linger),
  };
}
