import type { Call } from '../../core/contract.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError } from '../../primitives/failure.ts';
import type { Attachment } from './attached-pipelines.ts';
import { AuthError, SIGNED_OUT } from './error.ts';
import type { TokenResponse } from './options.ts';
import { lockOf, refresh, withRefreshLock } from './refresh.ts';
import { RefreshCoordinator, type RefreshTask } from './refresh-coordinator.ts';
import type { OAuth2Settings } from './settings.ts';
import type { CredentialSource } from './source.ts';
import { TokenCache } from './token-cache.ts';
import { type IssuedTokens, leftOf, momentOf, tokensOf } from './tokens.ts';

/** Tokens of an authorization server, for all signed-in users. */
export class OAuth2Source implements CredentialSource {
  readonly tokens: TokenCache;
  readonly #settings: OAuth2Settings;
  readonly #renewals: RefreshCoordinator;

  constructor(settings: OAuth2Settings) {
    this.#settings = settings;
    this.#renewals = new RefreshCoordinator(settings.origins[0] as string, settings.timeout);
    this.tokens = new TokenCache(settings, (user) => this.#renewals.reset(user));
  }

  current(call: Call, attachment: Attachment): string | Promise<string> {
    const user = this.#userOf(call.partition);
    const held = this.tokens.get(user);
    if (!held) return this.#first(user, call, attachment);
    const left = leftOf(held, call.host.clock);
    if (left <= 0) return this.#renewed(user, held, call, attachment);
    const { lifetime = Infinity, accessToken } = held.tokens;
    // In the background while the current token is valid.
    if (left < Math.min(this.#settings.refreshBefore, lifetime / 2))
      this.#renewals.refreshInBackground(user, call, attachment, this.#renewal(user, held, call, attachment));
    return accessToken;
  }

  async renew(refused: string, call: Call, attachment: Attachment): Promise<string | undefined> {
    const { clock } = call.host;
    const user = this.#userOf(call.partition);
    const held = this.tokens.get(user);
    // One that has run out on its way is refused for that.
    if (held && leftOf(held, clock) > 0) {
      if (held.tokens.accessToken !== refused) return held.tokens.accessToken;
      if (!this.#renewals.refused(user, refused, sinceOf(held), clock)) return undefined;
      held.refused = true;
    }
    return this.#renewed(user, held, call, attachment);
  }

  accepted(secret: string, call: Call): void {
    const { partition } = call;
    if (this.#renewals.accepted(this.#userOf(partition), secret))
      this.tokens.pipelines.notifyCredentials(partition);
  }

  async signIn(response: TokenResponse, partition: string | undefined): Promise<void> {
    const { attachment } = this.tokens.pipelines;
    const { clock } = attachment.pipeline.host;
    const moment = momentOf(clock);
    const tokens = tokensOf(response, moment, false);
    if (typeof tokens === 'string')
      throw new ConfigurationError(
        'signIn.tokens',
        '…',
        `expected what a token endpoint gives; this is ${tokens}`,
      );
    const user = this.#userOf(partition ?? attachment.pipeline.partition());
    const held = { tokens, since: moment.ticks, refused: false };
    await this.#kept(user, attachment, this.tokens.put(user, held, 'signed-in', attachment));
  }

  async signOut(partition: string | undefined): Promise<void> {
    const { attachment } = this.tokens.pipelines;
    const user = this.#userOf(partition ?? attachment.pipeline.partition());
    await this.#kept(user, attachment, this.tokens.remove(user, 'application', attachment));
  }

  /** Waits for a refresh in another tab, which would write its tokens after this deletion. */
  #kept(user: string, { pipeline }: Attachment, keep: () => Promise<void>): Promise<void> {
    return withRefreshLock(lockOf(this.#settings, user), this.#settings.timeout, pipeline, keep).catch(keep);
  }

  async #first(user: string, call: Call, attachment: Attachment): Promise<string> {
    const isGone = this.tokens.isSignedOut(user);
    const held = isGone
      ? undefined
      : await withDeadline(Infinity, call, this.tokens.reload(user, attachment));
    if (held) return this.current(call, attachment);
    if (isGone || this.#settings.grant === 'refresh_token') throw new AuthError(SIGNED_OUT);
    return this.#renewed(user, undefined, call, attachment);
  }

  #renewed(
    user: string,
    held: IssuedTokens | undefined,
    call: Call,
    attachment: Attachment,
  ): Promise<string> {
    const renewal = this.#renewal(user, held, call, attachment);
    return this.#renewals.refresh(user, call, attachment, renewal) as Promise<string>;
  }

  #renewal(user: string, held: IssuedTokens | undefined, call: Call, attachment: Attachment): RefreshTask {
    const renewed = (): void => this.#renewals.renewed(user, sinceOf(held), call.host.clock);
    return refresh(user, held, call, attachment, this.#settings, this.tokens, renewed);
  }

  /** The tokens of the client itself are the same for all users. */
  #userOf(partition: string): string {
    return this.#settings.grant === 'client_credentials' ? '' : partition;
  }
}

/** When they were got here; those of a sign-in may be of any age. */
const sinceOf = (held: IssuedTokens | undefined): number => (held?.tokens.renewed ? held.since : -Infinity);
