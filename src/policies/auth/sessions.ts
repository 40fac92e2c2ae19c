import { withDeadline } from '../../core/clock.ts';
import type { Call } from '../../core/contract.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { Place } from './crew.ts';
import { AuthError, SIGNED_OUT } from './error.ts';
import { Keeper } from './keeper.ts';
import { lockOf, refresh } from './refresh.ts';
import { type Renewal, Renewals } from './renewals.ts';
import type { OAuth2Settings } from './settings.ts';
import type { Source } from './source.ts';
import { type Held, leftOf, momentOf, type TokenResponse, tokensOf } from './tokens.ts';
import { inTurn } from './turn.ts';

/** Tokens of an authorization server, for everybody who is signed in. */
export class Sessions implements Source {
  readonly keeper: Keeper;
  readonly #settings: OAuth2Settings;
  readonly #renewals: Renewals;

  constructor(settings: OAuth2Settings) {
    this.#settings = settings;
    this.#renewals = new Renewals(settings.origins[0] as string, settings.timeout);
    this.keeper = new Keeper(settings, (user) => this.#renewals.reset(user));
  }

  current(call: Call, place: Place): string | Promise<string> {
    const user = this.#userOf(call.partition);
    const held = this.keeper.held(user);
    if (!held) return this.#first(user, call, place);
    const left = leftOf(held, call.host.clock);
    if (left <= 0) return this.#renewed(user, held, call, place);
    const { lifetime = Infinity, accessToken } = held.tokens;
    // Behind the callers' backs, as long as what there is will do.
    if (left < Math.min(this.#settings.refreshBefore, lifetime / 2))
      this.#renewals.ahead(user, call, place, this.#renewal(user, held, call, place));
    return accessToken;
  }

  async renew(refused: string, call: Call, place: Place): Promise<string | undefined> {
    const { clock } = call.host;
    const user = this.#userOf(call.partition);
    const held = this.keeper.held(user);
    // One that has run out on its way is refused for that.
    if (held && leftOf(held, clock) > 0) {
      if (held.tokens.accessToken !== refused) return held.tokens.accessToken;
      if (!this.#renewals.refused(user, refused, sinceOf(held), clock)) return undefined;
      held.refused = true;
    }
    return this.#renewed(user, held, call, place);
  }

  accepted(secret: string, call: Call): void {
    const { partition } = call;
    if (this.#renewals.accepted(this.#userOf(partition), secret))
      this.keeper.crew.notifyCredentials(partition);
  }

  async signIn(answer: TokenResponse, partition: string | undefined): Promise<void> {
    const { place } = this.keeper.crew;
    const { clock } = place.pipeline.host;
    const moment = momentOf(clock);
    const tokens = tokensOf(answer, moment, false);
    if (typeof tokens === 'string')
      throw new ConfigurationError(
        'signIn.tokens',
        '…',
        `expected what a token endpoint gives; this is ${tokens}`,
      );
    const user = this.#userOf(partition ?? place.pipeline.partition());
    const held = { tokens, since: moment.ticks, refused: false };
    await this.#kept(user, place, this.keeper.put(user, held, 'signed-in', place));
  }

  async signOut(partition: string | undefined): Promise<void> {
    const { place } = this.keeper.crew;
    const user = this.#userOf(partition ?? place.pipeline.partition());
    await this.#kept(user, place, this.keeper.remove(user, 'application', place));
  }

  /** What a refresh in another tab is about to write must not come after it. */
  #kept(user: string, { pipeline }: Place, keep: () => Promise<void>): Promise<void> {
    return inTurn(lockOf(this.#settings, user), this.#settings.timeout, pipeline, keep).catch(keep);
  }

  async #first(user: string, call: Call, place: Place): Promise<string> {
    const isGone = this.keeper.isGone(user);
    const held = isGone ? undefined : await withDeadline(Infinity, call, this.keeper.look(user, place));
    if (held) return this.current(call, place);
    if (isGone || this.#settings.grant === 'refresh_token') throw new AuthError(SIGNED_OUT);
    return this.#renewed(user, undefined, call, place);
  }

  #renewed(user: string, held: Held | undefined, call: Call, place: Place): Promise<string> {
    const renewal = this.#renewal(user, held, call, place);
    return this.#renewals.once(user, call, place, renewal) as Promise<string>;
  }

  #renewal(user: string, held: Held | undefined, call: Call, place: Place): Renewal {
    const renewed = (): void => this.#renewals.renewed(user, sinceOf(held), call.host.clock);
    return refresh(user, held, call, place, this.#settings, this.keeper, renewed);
  }

  /** A client's own tokens are the same for everybody. */
  #userOf(partition: string): string {
    return this.#settings.grant === 'client_credentials' ? '' : partition;
  }
}

/** When they were got here; those of a sign-in may be of any age. */
const sinceOf = (held: Held | undefined): number => (held?.tokens.renewed ? held.since : -Infinity);
