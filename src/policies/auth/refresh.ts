import type { Call, PipelineContext } from '../../core/contract.ts';
import { createAborter, follow } from '../../primitives/abort.ts';
import { DeadlineError, sleep } from '../../primitives/clock.ts';
import { withLock } from '../../primitives/locks.ts';
import type { Attachment } from './attached-pipelines.ts';
import { refreshFailed, SIGNED_OUT } from './error.ts';
import { exchange, type TokenEndpointResponse } from './grant.ts';
import type { RefreshOutcome, RefreshTask } from './refresh-coordinator.ts';
import type { OAuth2Settings } from './settings.ts';
import type { TokenCache } from './token-cache.ts';
import { type IssuedTokens, leftOf, momentOf, tokensOf } from './tokens.ts';

/** How long the message of another tab may take, in ms. */
const MESSAGE_DELAY = 100;

/** A longer wait for the lock, in ms, means that another tab had it. */
const UNCONTENDED = 5;

/** The name of the lock that tabs share. */
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
      // A process without shared locks may have used the refresh token, and stored the new tokens.
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
  // Before the lock is released, or the next refresh would use the old refresh token.
  const linger = async (): Promise<void> => kept;
  return {
    found,
    work: () => withRefreshLock(lockOf(settings, user), settings.timeout, pipeline, turn, linger),
  };
}

/**
 * Runs a task while no other tab or worker runs one of the same name. If I/O belongs to one request, calls cannot wait for one
 * another: the task runs at once.
 *
 * @param timeout How long to wait for the lock, in ms.
 * @param task Called with how long it waited, in ms.
 * @param holdUntil Work that keeps the lock afterwards; the caller does not wait for it.
 * @throws {DeadlineError} after `timeout`; a `ClosedError` if the pipeline is closed first. The task has not run.
 */
export function withRefreshLock<T>(
  name: string,
  timeout: number,
  { host, signal }: PipelineContext,
  task: (waited: number) => Promise<T>,
  holdUntil?: () => Promise<void>,
): Promise<T> {
  if (!host.canShareIO) return task(0);
  const since = host.clock.ticks();
  const line = createAborter();
  const cancel = host.clock.after(timeout, () =>
    line.abort(new DeadlineError('the lock is held by another tab')),
  );
  const unfollow = follow(signal, line.abort);
  const leave = (): void => {
    cancel();
    unfollow();
  };
  return new Promise((resolve, reject) => {
    let begun = false;
    const run = (): Promise<T> => {
      begun = true;
      leave();
      return task(host.clock.ticks() - since);
    };
    const held = async (): Promise<void> => {
      const running = run();
      running.then(resolve, reject);
      await running.then(holdUntil, () => {});
    };
    withLock(name, line.signal, held).catch(() => {
      leave();
      if (begun) return;
      // Pages without an origin of their own have no locks.
      if (line.signal.aborted) reject(line.signal.reason);
      else run().then(resolve, reject);
    });
  });
}
