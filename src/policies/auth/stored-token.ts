import type { PipelineContext } from '../../core/contract.ts';
import { LruMap } from '../../primitives/lru.ts';
import { AuthError, refreshFailed } from './error.ts';
import type { BearerSettings } from './settings.ts';
import { readTokens, writeTokens } from './token-store.ts';
import type { Tokens } from './tokens.ts';

/** The last bearer token of each user, in a store: for a reload, and for a service worker. */
export class StoredToken {
  readonly #settings: BearerSettings;
  /** What this tab has written, by user. */
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

  #failed(operation: string, error: unknown, pipeline: PipelineContext): void {
    pipeline.emit?.({ type: 'store-failed', store: this.#settings.store?.name ?? '', operation, error });
  }
}
