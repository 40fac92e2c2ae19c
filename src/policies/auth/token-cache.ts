import type { Host, PipelineContext } from '../../core/contract.ts';
import { type Channel, isText, isTextOrAbsent, openChannel } from '../../primitives/broadcast.ts';
import { Emitter } from '../../primitives/emitter.ts';
import { AuthError, refreshFailed } from './error.ts';
import type { AuthEvent } from './options.ts';
import type { OAuth2Settings } from './settings.ts';
import { AttachedPipelines } from './source.ts';
import {
  type IssuedTokens,
  isTokens,
  readTokens,
  type Tokens,
  toIssuedTokens,
  writeTokens,
} from './tokens.ts';

/** How many users' tokens are in memory, if a store has them as well. */
const MAX_CACHED = 1_000;

type ChangeType = 'signed-in' | 'refreshed';
type SignOutReason = 'application' | 'refused';

/** Writes a change to the store, and broadcasts it. */
type Persist = () => Promise<void>;

/** The tokens of users: in memory, in the store, and in other tabs. */
export class TokenCache {
  readonly pipelines = new AttachedPipelines();
  readonly events = new Emitter<AuthEvent>();
  readonly #settings: OAuth2Settings;
  readonly #tokens = new Map<string, IssuedTokens>();
  readonly #onChange: (user: string) => void;
  /** Users that were signed out; without this, some grants would start again. */
  readonly #signedOut = new Set<string>();
  /** Users with newer tokens in memory than in the store: not written yet, or the write failed. */
  readonly #unpersisted = new Map<string, Persist | undefined>();
  /** Users with a refresh under way, which must find their tokens unchanged: these stay in memory. */
  readonly #inUse = new Set<string>();
  #channel: Channel | undefined;

  /** @param onChange Called with a user whose tokens changed, other than by a refresh here. */
  constructor(settings: OAuth2Settings, onChange: (user: string) => void) {
    this.#settings = settings;
    this.#onChange = onChange;
  }

  attach(pipeline: PipelineContext): void {
    const { name, store, grant } = this.#settings;
    this.pipelines.add(pipeline, () => this.#close());
    // The memory of a server is not shared, and the tokens of the client itself are no user's session.
    const isShared = store?.durable || 'document' in globalThis || 'WorkerGlobalScope' in globalThis;
    if (!isShared || !pipeline.host.canShareIO || grant === 'client_credentials') return;
    this.#channel ??= openChannel(`holdfast auth ${name}`, readMessage, (message) => this.#receive(message));
  }

  /** Whether tabs exchange tokens by message only, without a store. */
  get syncsByMessageOnly(): boolean {
    return this.#channel !== undefined && !this.#settings.store;
  }

  get(user: string): IssuedTokens | undefined {
    return this.#tokens.get(user);
  }

  isSignedOut(user: string): boolean {
    return this.#signedOut.has(user);
  }

  /** Whether the last change of a user's tokens is in memory only, because the store failed. */
  isBehind(user: string): boolean {
    const failed = this.#unpersisted.has(user) && this.#unpersisted.get(user) === undefined;
    return failed && this.#settings.store !== undefined;
  }

  /** Keeps the tokens of a user in memory until the work on them ends. */
  during<T>(user: string, work: Promise<T>): Promise<T> {
    this.#inUse.add(user);
    return work.finally(() => this.#inUse.delete(user));
  }

  /**
   * Reads the store, where other tabs may have put newer tokens.
   *
   * @param event The event for new tokens. Default: `'refreshed'`, if there were tokens before.
   * @throws {AuthError} where the store fails.
   */
  async reload(user: string, host: Host, event?: ChangeType): Promise<IssuedTokens | undefined> {
    const before = this.get(user);
    if (!this.#settings.store) return before;
    let tokens: Tokens | undefined;
    try {
      tokens = await readTokens(this.#settings, user, host);
    } catch (cause) {
      this.#failed('read', cause);
      throw new AuthError(refreshFailed('the tokens could not be read from their store', { cause }));
    }
    // A change here in between is newer.
    if (this.get(user) !== before || this.#unpersisted.has(user)) return this.get(user);
    if (tokens && tokens.accessToken !== before?.tokens.accessToken) {
      this.#cache(user, toIssuedTokens(tokens, host.clock));
      const type = event ?? (before && 'refreshed');
      if (type) this.#emit({ type, partition: user, remote: true });
    } else if (!tokens && before) this.#drop(user, 'application', true);
    return this.get(user);
  }

  /** The tokens are in memory at once. */
  put(user: string, issued: IssuedTokens, type: ChangeType, host: Host): Persist {
    const before = type === 'refreshed' ? this.get(user) : undefined;
    const persist = this.#persistenceOf(user, before, issued, host);
    this.#cache(user, issued);
    this.#emit({ type, partition: user, remote: false });
    return persist;
  }

  /** The tokens are deleted from memory at once. */
  remove(user: string, reason: SignOutReason, host: Host): Persist {
    const persist = this.#persistenceOf(user, this.get(user), undefined, host);
    this.#drop(user, reason, false);
    return persist;
  }

  /** @param before Of the same session: tabs without a store get the new tokens in their place. */
  #persistenceOf(
    user: string,
    before: IssuedTokens | undefined,
    issued: IssuedTokens | undefined,
    host: Host,
  ): Persist {
    const next = issued?.tokens;
    const persist: Persist = async () => {
      // A later change persists its own tokens.
      if (this.#unpersisted.get(user) !== persist) return;
      const isStored = await this.#write(user, next, host);
      if (this.#unpersisted.get(user) !== persist) return;
      if (isStored) this.#unpersisted.delete(user);
      else this.#unpersisted.set(user, undefined);
      if (isStored) this.#channel?.post({ user });
      else if (before) this.#channel?.post({ user, previous: secretOf(before), next });
    };
    this.#unpersisted.set(user, persist);
    return persist;
  }

  /** @returns whether the store has the change. */
  async #write(user: string, tokens: Tokens | undefined, host: Host): Promise<boolean> {
    if (!this.#settings.store) return false;
    try {
      await writeTokens(this.#settings, user, tokens, host);
      return true;
    } catch (error) {
      this.#failed('write', error);
      // A refresh token that was used must not stay in the store.
      await writeTokens(this.#settings, user, undefined, host).catch(() => {});
      return false;
    } finally {
      // It opens itself again when it is used.
      if (this.pipelines.isEmpty) this.#close();
    }
  }

  /** Handles a message of another tab. */
  async #receive({ user, previous, next }: TokenMessage): Promise<void> {
    const { store } = this.#settings;
    if (this.pipelines.isEmpty) return;
    const { host } = this.pipelines.any;
    const issued = this.get(user);
    if (store && previous === undefined) {
      await this.reload(user, host, issued ? 'refreshed' : 'signed-in');
      return;
    }
    // Applies only to tabs holding the consumed refresh token; another user may be signed in here.
    if (!issued || secretOf(issued) !== previous) return;
    if (!next) return this.#drop(user, 'application', true);
    if (store) this.#unpersisted.set(user, undefined);
    this.#cache(user, toIssuedTokens(next, host.clock));
    this.#emit({ type: 'refreshed', partition: user, remote: true });
  }

  #cache(user: string, issued: IssuedTokens): void {
    this.#signedOut.delete(user);
    this.#tokens.delete(user);
    this.#tokens.set(user, issued);
    if (!this.#settings.store || this.#tokens.size <= MAX_CACHED) return;
    // Unpersisted tokens are nowhere else.
    for (const other of this.#tokens.keys())
      if (!this.#unpersisted.has(other) && !this.#inUse.has(other)) return void this.#tokens.delete(other);
  }

  #drop(user: string, reason: SignOutReason, remote: boolean): void {
    this.#tokens.delete(user);
    if (typeof this.#settings.grant === 'function') this.#signedOut.add(user);
    this.#emit({ type: 'signed-out', partition: user, reason, remote });
  }

  #emit(event: AuthEvent): void {
    const { origins } = this.#settings;
    const { partition, remote, type } = event;
    const of = { origin: origins[0] as string, remote };
    if (remote || type !== 'refreshed') this.#onChange(partition);
    if (type === 'signed-out') this.pipelines.emit({ type, reason: event.reason, ...of });
    else if (type === 'refreshed') this.pipelines.emit({ type: 'token-refreshed', ...of });
    this.events.emit(event);
    if (type !== 'signed-out') this.pipelines.notifyCredentials(partition);
  }

  #failed(operation: string, error: unknown): void {
    this.pipelines.emit({ type: 'store-failed', store: this.#settings.store?.name ?? '', operation, error });
  }

  #close(): void {
    this.#channel?.close();
    this.#channel = undefined;
    this.#settings.store?.close().catch(() => {});
  }
}

/** The secret that a refresh consumes. */
const secretOf = ({ tokens }: IssuedTokens): string => tokens.refreshToken ?? tokens.accessToken;

/** A message about a user's tokens between tabs and workers of an origin. */
interface TokenMessage {
  readonly user: string;
  /** Without a store: the consumed secret, by which tabs with the same session recognise the message. */
  readonly previous?: string | undefined;
  /** The new tokens; absent: signed out. With a store, the store has them. */
  readonly next?: Tokens | undefined;
}

function readMessage(posted: unknown): TokenMessage | undefined {
  const { user, previous, next } = (posted ?? {}) as Partial<TokenMessage>;
  if (!isText(user) || !isTextOrAbsent(previous) || (next !== undefined && !isTokens(next))) return undefined;
  return { user, previous, next };
}
