import { notify } from '../../core/tell.ts';
import { Crew, type Place } from './crew.ts';
import { AuthError, refreshFailed } from './error.ts';
import type { AuthNews } from './news.ts';
import type { OAuth2Settings } from './settings.ts';
import { type Tabs, tabs, type Word } from './tabs.ts';
import { type Held, heldOf, type Tokens } from './tokens.ts';
import { readTokens, writeTokens } from './vault.ts';

/** Users whose tokens are at hand, where a store has them as well. */
const AT_HAND = 1_000;

type What = 'signed-in' | 'refreshed';
type Why = 'application' | 'refused';

/** Has what changed at hand written, and the others told. */
type Keep = () => Promise<void>;

/** Who has which tokens: at hand, in the store, and in other tabs. */
export class Keeper {
  readonly crew = new Crew(() => this.#close());
  readonly #settings: OAuth2Settings;
  readonly #held = new Map<string, Held>();
  readonly #changed: (user: string) => void;
  readonly #listeners = new Set<(news: AuthNews) => void>();
  /** They have been signed out; without this, some grants would begin anew. */
  readonly #gone = new Set<string>();
  /** What is at hand of theirs is newer than what the store has: it is yet to be written, or the store would not take it. */
  readonly #ahead = new Map<string, Keep | undefined>();
  #tabs: Tabs | undefined;

  /** @param changed Told of a user for whom there is something else than before, and not because it was renewed here. */
  constructor(settings: OAuth2Settings, changed: (user: string) => void) {
    this.#settings = settings;
    this.#changed = changed;
  }

  enter(place: Place): void {
    const { name, store, grant } = this.#settings;
    this.crew.enter(place);
    // A client's own tokens are nobody's session.
    if (grant === 'client_credentials') return;
    this.#tabs ??= tabs(name, store, place.pipeline.host, (word) => void this.#hear(word));
  }

  /** Whether other tabs learn of tokens by being told, and cannot look. */
  get isByHearsay(): boolean {
    return this.#tabs !== undefined && !this.#settings.store;
  }

  held(user: string): Held | undefined {
    return this.#held.get(user);
  }

  isGone(user: string): boolean {
    return this.#gone.has(user);
  }

  /** @returns ends the subscription. */
  subscribe(listener: (news: AuthNews) => void): () => void {
    // The same function given twice is two subscriptions.
    const own = (news: AuthNews): void => listener(news);
    this.#listeners.add(own);
    return () => void this.#listeners.delete(own);
  }

  /**
   * Looks into the store, where others may have put something newer.
   *
   * @param news What it is if there is something. Default: `'refreshed'`, where there was something before.
   * @throws {AuthError} where the store fails.
   */
  async look(user: string, { pipeline }: Place, news?: What): Promise<Held | undefined> {
    const before = this.held(user);
    if (!this.#settings.store) return before;
    let tokens: Tokens | undefined;
    try {
      tokens = await readTokens(this.#settings, user, pipeline.host);
    } catch (cause) {
      this.#failed('read', cause);
      throw new AuthError(refreshFailed('the tokens could not be read from their store', { cause }));
    }
    // Meanwhile something has happened here, which is newer.
    if (this.held(user) !== before || this.#ahead.has(user)) return this.held(user);
    if (tokens && tokens.accessToken !== before?.tokens.accessToken) {
      this.#hold(user, heldOf(tokens, pipeline.host.clock));
      const type = news ?? (before && 'refreshed');
      if (type) this.#takenOver(user, type);
    } else if (!tokens && before) this.#release(user, 'application', true);
    return this.held(user);
  }

  /** Tokens are at hand at once. */
  put(user: string, held: Held, type: What, place: Place): Keep {
    const keep = this.#keepOf(user, held, place, type === 'refreshed');
    this.#hold(user, held);
    if (type === 'signed-in') this.#changed(user);
    this.#tell({ type, partition: user, elsewhere: false });
    return keep;
  }

  /** Somebody's tokens are gone at once. */
  remove(user: string, why: Why, place: Place): Keep {
    const keep = this.#keepOf(user, undefined, place, true);
    this.#release(user, why, false);
    return keep;
  }

  /** @param continues It is the same session: whoever has it is meant, also without a store. */
  #keepOf(user: string, held: Held | undefined, place: Place, continues: boolean): Keep {
    const was = this.held(user)?.tokens;
    const now = held?.tokens;
    const keep: Keep = async () => {
      // Whoever has come later keeps their own.
      if (this.#ahead.get(user) !== keep) return;
      const isKept = await this.#write(user, now, place);
      if (this.#ahead.get(user) !== keep) return;
      if (isKept) this.#ahead.delete(user);
      else this.#ahead.set(user, undefined);
      if (isKept) this.#tabs?.tell({ user });
      else if (continues && was) this.#tabs?.tell({ user, was: secretOf(was), now });
    };
    this.#ahead.set(user, keep);
    return keep;
  }

  /** @returns whether the store has it. */
  async #write(user: string, tokens: Tokens | undefined, { pipeline: { host } }: Place): Promise<boolean> {
    if (!this.#settings.store) return false;
    try {
      await writeTokens(this.#settings, user, tokens, host);
      return true;
    } catch (error) {
      this.#failed('write', error);
      // What has been used up is worse than nothing.
      await writeTokens(this.#settings, user, undefined, host).catch(() => {});
      return false;
    } finally {
      // It opens itself again when it is used.
      if (this.crew.isEmpty) this.#close();
    }
  }

  /** What another tab tells. */
  async #hear({ user, was, now }: Word): Promise<void> {
    const { store } = this.#settings;
    if (this.crew.isEmpty) return;
    const { place } = this.crew;
    const held = this.held(user);
    if (store && was === undefined) {
      await this.look(user, place, held ? 'refreshed' : 'signed-in').catch(() => {});
      return;
    }
    // Only who has had what was used up is meant: in another tab somebody else may be signed in.
    if (!held || secretOf(held.tokens) !== was) return;
    if (!now) return this.#release(user, 'application', true);
    if (store) this.#ahead.set(user, undefined);
    this.#hold(user, heldOf(now, place.pipeline.host.clock));
    this.#takenOver(user, 'refreshed');
  }

  #hold(user: string, held: Held): void {
    this.#gone.delete(user);
    this.#held.delete(user);
    this.#held.set(user, held);
    if (!this.#settings.store || this.#held.size <= AT_HAND) return;
    // What the store has not got is nowhere else.
    for (const other of this.#held.keys()) if (!this.#ahead.has(other)) return void this.#held.delete(other);
  }

  #takenOver(partition: string, type: What): void {
    this.#changed(partition);
    this.#tell({ type, partition, elsewhere: true });
  }

  #release(user: string, reason: Why, elsewhere: boolean): void {
    this.#held.delete(user);
    if (typeof this.#settings.grant === 'function') this.#gone.add(user);
    this.#changed(user);
    this.#tell({ type: 'signed-out', partition: user, reason, elsewhere });
  }

  #tell(news: AuthNews): void {
    const { origins } = this.#settings;
    const { partition, elsewhere, type } = news;
    const of = { origin: origins[0] as string, elsewhere };
    if (type === 'signed-out') this.crew.emit({ type, reason: news.reason, ...of });
    else if (type === 'refreshed') this.crew.emit({ type: 'token-refreshed', ...of });
    for (const listener of this.#listeners) notify(listener, news);
    if (type !== 'signed-out') this.crew.notifyCredentials(partition);
  }

  #failed(operation: string, error: unknown): void {
    this.crew.emit({ type: 'store-failed', store: this.#settings.store?.name ?? '', operation, error });
  }

  #close(): void {
    this.#tabs?.close();
    this.#tabs = undefined;
    this.#settings.store?.close().catch(() => {});
  }
}

/** What a refresh uses up. */
const secretOf = ({ refreshToken, accessToken }: Tokens): string => refreshToken ?? accessToken;
