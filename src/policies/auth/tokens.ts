import type { Clock, Host, PipelineContext } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { LruMap } from '../../primitives/lru.ts';
import type { Bytes } from '../../primitives/units.ts';
import { AuthError, refreshFailed } from './error.ts';
import type { TokenResponse } from './options.ts';
import { isSendable } from './schemes.ts';
import type { BearerSettings, TokenStorage } from './settings.ts';

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
export const momentOf = (clock: Clock) => ({ askedAt: clock.now(), since: clock.ticks() });

/**
 * Reads the response of a token endpoint.
 *
 * @param before The tokens that they take the place of; their refresh token stays if there is no new one (RFC 6749, 6).
 * @returns the reason if it is malformed, without any part of it.
 */
export function tokensOf(
  response: unknown,
  { askedAt, since }: ReturnType<typeof momentOf>,
  renewed: boolean,
  before?: Tokens,
): IssuedTokens | string {
  const said = (response ?? {}) as Record<keyof TokenResponse, unknown>;
  const { access_token, token_type = 'bearer', expires_in, refresh_token } = said;
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

/** How long a store may take, in ms; in some browsers an open never ends. */
const STORE_TIMEOUT = 10_000;

/** The stored tokens of a user; `undefined` if they cannot be read. @throws the store's error. */
export function readTokens(
  { store, encryption, name }: TokenStorage,
  user: string,
  host: Host,
): Promise<Tokens | undefined> {
  const read = async (): Promise<Tokens | undefined> => {
    const key = await keyOf(encryption, name, user);
    let found = (await store?.get(key))?.value;
    try {
      if (encryption)
        found = JSON.parse(new TextDecoder().decode(await encryption.decrypt(found as Bytes, key)));
    } catch (error) {
      // The key is unavailable, which says nothing about the tokens.
      if (error instanceof StorageError) throw error;
      return undefined;
    }
    return isTokens(found) ? found : undefined;
  };
  return withDeadline(STORE_TIMEOUT, { host }, read());
}

/** @param tokens `undefined` deletes them. @throws the store's error. */
export function writeTokens(
  { store, encryption, name }: TokenStorage,
  user: string,
  tokens: Tokens | undefined,
  host: Host,
): Promise<void> {
  const write = async (): Promise<void> => {
    const key = await keyOf(encryption, name, user);
    if (!tokens) return store?.write([{ delete: key }]);
    const plain = (): Bytes => new TextEncoder().encode(JSON.stringify(tokens)) as Bytes;
    const value = encryption ? await encryption.encrypt(plain(), key) : tokens;
    return store?.write([{ put: { key, value } }]);
  };
  return withDeadline(STORE_TIMEOUT, { host }, write());
}

/** Encrypted records have hashed keys. */
async function keyOf(cipher: TokenStorage['encryption'], name: string, user: string): Promise<string> {
  const key = `${encodeURIComponent(name)} ${encodeURIComponent(user)}`;
  return `auth ${cipher ? await cipher.hashKey(key) : key}`;
}

/** The last bearer token of each user, in a store: for a reload, and for a service worker. */
export class StoredToken {
  readonly #settings: BearerSettings;
  /** The writes of this tab, by user. */
  readonly #written = new LruMap<{ token?: string; write: Promise<void> }>(() => ({
    write: Promise.resolve(),
  }));
  /** Grows with each sign-out: a token that was asked for before is not written after it. */
  signOuts = 0;

  constructor(settings: BearerSettings) {
    this.#settings = settings;
  }

  /** @throws {AuthError} `refresh-failed`, transient, if the store fails. */
  async read(user: string, pipeline: PipelineContext): Promise<string | undefined> {
    try {
      return (await readTokens(this.#settings, user, pipeline.host))?.accessToken;
    } catch (cause) {
      this.#failed('read', cause, pipeline);
      throw new AuthError(refreshFailed('the token could not be read from its store', { cause }));
    }
  }

  /** Writes a token that differs from the last one; no call waits for it. */
  keep(user: string, token: string, pipeline: PipelineContext): void {
    const last = this.#written.get(user);
    if (last.token === token) return;
    last.token = token;
    const stored: Tokens = { accessToken: token, askedAt: pipeline.host.clock.now(), renewed: false };
    last.write = last.write
      .then(() =>
        last.token === token ? writeTokens(this.#settings, user, stored, pipeline.host) : undefined,
      )
      .catch((error) => {
        if (last.token === token) delete last.token;
        this.#failed('write', error, pipeline);
      });
    const [origin = ''] = this.#settings.origins;
    pipeline.background({ origin, partition: user }).waitUntil(last.write);
  }

  async remove(user: string, pipeline: PipelineContext): Promise<void> {
    this.signOuts++;
    const last = this.#written.get(user);
    delete last.token;
    await last.write;
    await writeTokens(this.#settings, user, undefined, pipeline.host);
  }

  close(): void {
    // The store opens itself again when it is used.
    this.#settings.store?.close().catch(() => {});
  }

  #failed(operation: string, error: unknown, pipeline: PipelineContext): void {
    pipeline.emit({ type: 'store-failed', store: this.#settings.store?.name ?? '', operation, error });
  }
}
