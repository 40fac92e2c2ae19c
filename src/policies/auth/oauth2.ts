import type { Handler, PipelineContext } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { sleep, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import { AuthError, refreshFailed, SIGNED_OUT } from './error.ts';
import type { TokenResponse } from './options.ts';
import {
  type Caller,
  RefreshCoordinator,
  type RefreshOutcome,
  type RefreshTask,
  withRefreshLock,
} from './refresh.ts';
import type { OAuth2Settings } from './settings.ts';
import type { CredentialSource } from './source.ts';
import { TokenCache } from './token-cache.ts';
import { exchange } from './token-endpoint.ts';
import { type IssuedTokens, leftOf, momentOf, tokensOf } from './tokens.ts';

/** How long the message of another tab may take, in ms. */
const MESSAGE_DELAY = 100;

/** A longer wait for the lock, in ms, means that another tab had it. */
const UNCONTENDED = 5;

/** Tokens of an authorization server, for all signed-in users. */
export class OAuth2Source implements CredentialSource {
  readonly varies: boolean;
  readonly tokens: TokenCache;
  readonly #settings: OAuth2Settings;
  readonly #renewals: RefreshCoordinator;
  /** Send requests past `auth`. */
  readonly #inside = new WeakMap<PipelineContext, Handler>();

  constructor(settings: OAuth2Settings) {
    // The tokens of the client itself are the same for all users.
    this.varies = settings.grant !== 'client_credentials';
    this.#settings = settings;
    this.#renewals = new RefreshCoordinator(settings);
    this.tokens = new TokenCache(settings, (user) => this.#renewals.reset(user));
  }

  attach(pipeline: PipelineContext, inside: Handler): void {
    this.#inside.set(pipeline, inside);
    this.tokens.attach(pipeline);
  }

  current(caller: Caller): string | Promise<string> {
    const user = this.#userOf(caller.partition);
    const issued = this.tokens.get(user);
    if (!issued) return this.#first(user, caller);
    const left = leftOf(issued, caller.host.clock);
    if (left <= 0) return this.#renewed(user, issued, caller);
    const { lifetime = Infinity, accessToken } = issued.tokens;
    // In the background while the current token is valid.
    if (left < Math.min(this.#settings.refreshBefore, lifetime / 2))
      this.#renewals.refreshInBackground(user, caller, this.#task(user, issued, caller));
    return accessToken;
  }

  async renew(refused: string, caller: Caller): Promise<string | undefined> {
    const { clock } = caller.host;
    const user = this.#userOf(caller.partition);
    const issued = this.tokens.get(user);
    // One that has run out on its way is refused for that.
    if (issued && leftOf(issued, clock) > 0) {
      const { accessToken, renewed } = issued.tokens;
      if (accessToken !== refused) return accessToken;
      // Those of a sign-in may be of any age.
      if (!this.#renewals.refused(user, refused, clock, renewed ? issued.since : undefined)) return undefined;
      issued.refused = true;
    }
    return this.#renewed(user, issued, caller);
  }

  accepted(secret: string, partition: string): void {
    if (this.#renewals.accepted(this.#userOf(partition), secret))
      this.tokens.pipelines.notifyCredentials(partition);
  }

  async signIn(response: TokenResponse, partition: string | undefined): Promise<void> {
    const pipeline = this.tokens.pipelines.any;
    const issued = tokensOf(response, momentOf(pipeline.host.clock), false);
    if (typeof issued === 'string') {
      const allowed = `expected what a token endpoint gives; this is ${issued}`;
      throw new ConfigurationError('signIn.tokens', '…', allowed);
    }
    const user = this.#userOf(partition ?? pipeline.partition());
    await this.#kept(user, pipeline, this.tokens.put(user, issued, 'signed-in', pipeline.host));
  }

  async signOut(partition: string | undefined): Promise<void> {
    const pipeline = this.tokens.pipelines.any;
    const user = this.#userOf(partition ?? pipeline.partition());
    await this.#kept(user, pipeline, this.tokens.remove(user, 'application', pipeline.host));
    if (this.tokens.isBehind(user))
      throw new StorageError('auth.signOut: the store failed, and may still have the tokens; call it again');
  }

  /** Waits for a refresh in another tab, which would write its tokens after this deletion. */
  #kept(user: string, pipeline: PipelineContext, keep: () => Promise<void>): Promise<void> {
    return this.#locked(user, pipeline, keep).catch(keep);
  }

  async #first(user: string, caller: Caller): Promise<string> {
    if (this.tokens.isSignedOut(user)) throw new AuthError(SIGNED_OUT);
    const issued = await withDeadline(Infinity, caller, this.tokens.reload(user, caller.host));
    if (issued) return this.current(caller);
    if (this.#settings.grant === 'refresh_token') throw new AuthError(SIGNED_OUT);
    return this.#renewed(user, undefined, caller);
  }

  #renewed(user: string, issued: IssuedTokens | undefined, caller: Caller): Promise<string> {
    return this.#renewals.refresh(user, caller, this.#task(user, issued, caller)) as Promise<string>;
  }

  /**
   * Gets new tokens in place of those that run out or were refused, unless another call, tab or process has been faster: a
   * refresh token that is used twice is often the end of all that came of it (RFC 9700, 4.14.2).
   */
  #task(user: string, old: IssuedTokens | undefined, caller: Caller): RefreshTask {
    const { tokens } = this;
    const { host, pipeline, waitUntil } = caller;
    const { clock } = host;
    let kept: Promise<void> | undefined;
    const keep = (now: () => Promise<void>): void => {
      kept = now();
      waitUntil(kept);
    };
    const found = (): string | undefined => {
      const now = tokens.get(user);
      return now && now !== old && leftOf(now, clock) > 0 ? now.tokens.accessToken : undefined;
    };
    /** After a sign-in or a sign-out in between. */
    const otherwise = (): RefreshOutcome => {
      const secret = found();
      return secret === undefined ? { failure: SIGNED_OUT } : { secret };
    };
    const turn = async (waited: number): Promise<RefreshOutcome> => {
      // The tab that refreshed has broadcast the tokens; give the message time to arrive.
      if (tokens.syncsByMessageOnly && waited > UNCONTENDED) await sleep(MESSAGE_DELAY, pipeline);
      const there = await tokens.reload(user, host);
      const isGone = !there && (old !== undefined || this.#settings.grant === 'refresh_token');
      if (isGone || tokens.isSignedOut(user) || found() !== undefined) return otherwise();
      const before = there?.tokens;
      const moment = momentOf(clock);
      const inside = this.#inside.get(pipeline) as Handler;
      const response = await exchange(this.#settings, user, before?.refreshToken, pipeline, inside);
      if (tokens.get(user) !== there || tokens.isSignedOut(user)) return otherwise();
      if ('failure' in response) return response;
      if ('refused' in response) {
        // A process without shared locks may have used the refresh token, and stored the new tokens.
        if ((await tokens.reload(user, host)) !== there) return otherwise();
        keep(tokens.remove(user, 'refused', host));
        return { failure: SIGNED_OUT };
      }
      const issued = tokensOf(response.said, moment, true, before);
      if (typeof issued === 'string') return { failure: refreshFailed(`the token endpoint gave ${issued}`) };
      if (old?.refused) this.#renewals.renewed(user, old.tokens.renewed, clock);
      keep(tokens.put(user, issued, 'refreshed', host));
      return { secret: issued.tokens.accessToken };
    };
    // Before the lock is released, or the next refresh would use the old refresh token.
    const linger = async (): Promise<void> => kept;
    return { found, work: () => tokens.during(user, this.#locked(user, pipeline, turn, linger)) };
  }

  /** Under the lock that tabs share. */
  #locked<T>(
    user: string,
    pipeline: PipelineContext,
    task: (waited: number) => Promise<T>,
    holdUntil?: () => Promise<void>,
  ): Promise<T> {
    const { name, timeout } = this.#settings;
    return withRefreshLock(`holdfast auth ${name} ${user}`, timeout, pipeline, task, holdUntil);
  }

  #userOf(partition: string): string {
    return this.varies ? partition : '';
  }
}
