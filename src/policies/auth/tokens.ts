import type { Clock } from '../../core/contract.ts';
import type { TokenResponse } from './options.ts';
import { isSendable } from './schemes.ts';

/** Tokens as they are kept. */
export interface Tokens {
  readonly accessToken: string;
  readonly refreshToken?: string | undefined;
  /** How long they were good for, in ms, counted from when they were asked for. */
  readonly lifetime?: number | undefined;
  /** Wall time in ms. */
  readonly askedAt: number;
  /** By a refresh, and not at sign-in. */
  readonly renewed: boolean;
}

/** Tokens as they are at hand. */
export interface IssuedTokens {
  readonly tokens: Tokens;
  /** When they were asked for, on the monotonic clock. */
  readonly since: number;
  /** The origin has refused them. */
  refused: boolean;
}

/** When something began, on both clocks. */
interface Moment {
  readonly askedAt: number;
  readonly since: number;
}

export const momentOf = (clock: Clock): Moment => ({ askedAt: clock.now(), since: clock.ticks() });

/**
 * Reads the response of a token endpoint.
 *
 * @param before The tokens that they take the place of.
 * @returns the reason if it is malformed, without any part of it.
 */
export function tokensOf(
  response: unknown,
  { askedAt, since }: Moment,
  renewed: boolean,
  before?: Tokens,
): IssuedTokens | string {
  const {
    access_token,
    token_type = 'bearer',
    expires_in,
    refresh_token,
  } = (response ?? {}) as Record<keyof TokenResponse, unknown>;
  if (typeof access_token !== 'string' || !isSendable(access_token)) return 'no token';
  if (String(token_type).toLowerCase() !== 'bearer') return 'a token of a type that is not understood';
  // Some give it as text.
  const seconds = expires_in === undefined || expires_in === null ? undefined : Number(expires_in);
  if (seconds !== undefined && !(seconds > 0)) return 'a token that has run out';
  const tokens: Tokens = {
    accessToken: access_token,
    refreshToken: typeof refresh_token === 'string' && refresh_token ? refresh_token : before?.refreshToken,
    lifetime: seconds === undefined ? undefined : seconds * 1_000,
    askedAt,
    renewed,
  };
  return { tokens, since, refused: false };
}

/** Tokens from elsewhere: how old they are says the wall clock, which may have been set since. */
export function toIssuedTokens(tokens: Tokens, clock: Clock): IssuedTokens {
  const { askedAt, lifetime = Infinity } = tokens;
  const age = Math.min(Math.max(0, clock.now() - askedAt), lifetime);
  return { tokens, since: clock.ticks() - age, refused: false };
}

/**
 * How long they are good for, in ms. The monotonic clock stands still while some machines sleep, and the wall clock may
 * be set: the one that is further counts.
 */
export function leftOf(
  { tokens: { lifetime = Infinity, askedAt }, since, refused }: IssuedTokens,
  clock: Clock,
): number {
  if (refused) return 0;
  return lifetime - Math.max(clock.ticks() - since, clock.now() - askedAt);
}

/** Whether a stored value is tokens: another version or another script may have written it. */
export function isTokens(value: unknown): value is Tokens {
  const tokens = value as Partial<Tokens> | null;
  return (
    typeof tokens === 'object' &&
    typeof tokens?.accessToken === 'string' &&
    ['string', 'undefined'].includes(typeof tokens.refreshToken) &&
    ['number', 'undefined'].includes(typeof tokens.lifetime) &&
    Number.isFinite(tokens.askedAt) &&
    typeof tokens.renewed === 'boolean'
  );
}
