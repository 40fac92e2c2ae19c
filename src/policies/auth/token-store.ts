import type { Host, PipelineContext } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { LruMap } from '../../primitives/lru.ts';
import type { Bytes } from '../../primitives/units.ts';
import { AuthError, refreshFailed } from './error.ts';
import type { BearerSettings, TokenStorage } from './settings.ts';
import { isTokens, type Tokens } from './tokens.ts';

/** How long a store may take, in ms; in some browsers an open never ends. */
const STORE_TIMEOUT = 10_000;

const utf8 = new TextEncoder();
const text = new TextDecoder();

/** The stored tokens of a user; `undefined` if they cannot be read. @throws the store's error. */
export function readTokens(
  { store, encryption, name }: TokenStorage,
  user: string,
  host: Host,
): Promise<Tokens | undefined> {
  const read = async (): Promise<Tokens | undefined> => {
    const key = await keyOf(encryption, name, user);
    const value = (await store?.get(key))?.value;
    let found = value;
    try {
      if (encryption) found = JSON.parse(text.decode(await encryption.decrypt(value as Bytes, key)));
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
    const value = encryption
      ? await encryption.encrypt(utf8.encode(JSON.stringify(tokens)) as Bytes, key)
      : tokens;
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
  #signOuts = 0;

  constructor(settings: BearerSettings) {
    this.#settings = settings;
  }

  /** Grows with each sign-out: a token that was asked for before is not written after it. */
  get signOuts(): number {
    return this.#signOuts;
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
    this.#signOuts++;
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
    pipeline.emit?.({ type: 'store-failed', store: this.#settings.store?.name ?? '', operation, error });
  }
}
