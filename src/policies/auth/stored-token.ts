import type { Home } from '../../core/contract.ts';
import { PerOrigin } from '../../core/origins.ts';
import { AuthError, refreshFailed } from './error.ts';
import type { BearerSettings } from './settings.ts';
import type { Tokens } from './tokens.ts';
import { readTokens, writeTokens } from './vault.ts';

/** The last bearer token of each user, in a store: for a reload, and for a service worker. */
export class StoredToken {
  readonly #settings: BearerSettings;
  /** What this tab has written, by user. */
  readonly #written = new PerOrigin<{ token?: string; write: Promise<void> }>(() => ({
    write: Promise.resolve(),
  }));
  #signOuts = 0;

  constructor(settings: BearerSettings) {
    this.#settings = settings;
  }

  /** Grows with each sign-out: a token that was asked for before is not written after it. */
  get signOuts(): number {
    return this.#signOuts;
  }

  /** @throws {AuthError} `refresh-failed`, transient, if the store fails. */
  async read(user: string, home: Home): Promise<string | undefined> {
    try {
      return (await readTokens(this.#settings, user, home.host))?.accessToken;
    } catch (cause) {
      this.#failed('read', cause, home);
      throw new AuthError(refreshFailed('the token could not be read from its store', { cause }));
    }
  }

  /** Writes a token that differs from the last one; no call waits for it. */
  keep(user: string, token: string, home: Home): void {
    const last = this.#written.get(user);
    if (last.token === token) return;
    last.token = token;
    const stored: Tokens = { accessToken: token, askedAt: home.host.clock.now(), renewed: false };
    last.write = last.write
      .then(() => (last.token === token ? writeTokens(this.#settings, user, stored, home.host) : undefined))
      .catch((error) => {
        if (last.token === token) delete last.token;
        this.#failed('write', error, home);
      });
    const [origin = ''] = this.#settings.origins;
    home.background({ origin, partition: user }).waitUntil(last.write);
  }

  async remove(user: string, home: Home): Promise<void> {
    this.#signOuts++;
    const last = this.#written.get(user);
    delete last.token;
    await last.write;
    await writeTokens(this.#settings, user, undefined, home.host);
  }

  #failed(operation: string, error: unknown, home: Home): void {
    home.emit?.({ type: 'store-failed', store: this.#settings.store?.name ?? '', operation, error });
  }
}
