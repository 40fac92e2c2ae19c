import type { StoredBody } from '../../../core/store.ts';
import type { CacheSettings } from '../options.ts';
import { ALL, type CacheMessage, Deletions, History, type Marks, UnstoredMarks } from './changes.ts';
import {
  bodySize,
  type CachedResponse,
  hasSameContent,
  isOutdatedBy,
  isSameVariant,
  KEY_PREFIX,
  keyPrefix,
  type StoredResponse,
  selectVariant,
  toCachedResponse,
} from './entry.ts';
import { MemoryLru } from './memory-lru.ts';
import type { Usage } from './quota.ts';
import { CacheRecords } from './records.ts';

/** A use is recorded at most this often, in ms: reads should not cause writes. */
const TOUCH_INTERVAL = 60_000;

/** How many variants of a URL are stored: all are read to select one, and some origins vary by unique values. */
const MAX_VARIANTS = 20;

export interface CacheStoreOptions {
  readonly settings: CacheSettings;
  /** Wall time in ms. */
  readonly now: () => number;
  /** Posts to other tabs. */
  readonly broadcast: (message: CacheMessage) => void;
  /** Called for records that cannot be read. */
  readonly discarded: () => void;
}

/** Cached responses in a store, with an LRU in memory before it: found by partition, URL and varying headers. */
export class CacheStore {
  readonly records: CacheRecords;
  readonly #options: CacheStoreOptions;
  readonly #memory: MemoryLru;
  readonly #deletions: Deletions;
  /** Guards against writes of responses that were requested before a change. */
  readonly #history = new History();
  readonly #unstored = new UnstoredMarks();
  #isOpen = false;

  constructor(options: CacheStoreOptions) {
    this.#options = options;
    this.#memory = new MemoryLru(options.settings.memory);
    this.records = new CacheRecords(options.settings, (keys) => this.#memory.dropKeys(keys));
    this.#deletions = new Deletions(options.settings.store);
  }

  /** To be recorded when a request is sent. */
  get generation(): number {
    return this.#history.generation;
  }

  /** The cached response to a request, if it is in memory; `undefined` says nothing about the store. */
  inMemory(partition: string, request: Request): CachedResponse | undefined {
    return selectVariant(this.#memory.get(keyPrefix(partition, request.url)), request);
  }

  /** The cached response from the store, past the memory. */
  async findStored(partition: string, request: Request): Promise<CachedResponse | undefined> {
    const { url } = request;
    const seen = this.generation;
    const found = await this.#variants(partition, url, true);
    // After a change in between, the memory may be newer than the entry read.
    if (!this.#history.since(seen, { partition, url }, 'changed'))
      this.#memory.put(keyPrefix(partition, url), found);
    return selectVariant(found, request);
  }

  /** Whether a response was deleted or invalidated after a generation. */
  wasDeleted(stored: StoredResponse, generation: number): boolean {
    return this.#history.since(generation, stored, 'deleted', 'invalidated');
  }

  /** Whether a URL was invalidated, and nothing was stored since: caches further down may not know. */
  isOutdated(partition: string, url: string): boolean {
    const of = { partition, url };
    const current = this.#history.last(of, 'current');
    return this.#history.since(current, of, 'deleted', 'invalidated', 'unconfirmed');
  }

  /** The body of a cached response. @returns `undefined` if it is gone or incomplete: then the response is discarded. */
  async body(cached: CachedResponse): Promise<StoredBody | undefined> {
    const body = await this.records.body(cached);
    // One that is not there was replaced in between.
    if (body === undefined && (await this.drop(cached)).entries) this.#options.discarded();
    return body;
  }

  /** A cached response is used. @returns the write that records it, if it is due. */
  touch(cached: CachedResponse): (() => Promise<boolean>) | undefined {
    const now = this.#options.now();
    if (Math.abs(now - cached.usedAt) < TOUCH_INTERVAL) return undefined;
    cached.usedAt = now;
    return () => this.records.update(cached.key, { usedAt: now });
  }

  /**
   * Stores a response, unless it was deleted since the request, or a later one is there. One that was requested before a write may
   * still stand in for a failing origin.
   *
   * @param id Unique.
   * @param sentIn The generation when its request was sent.
   * @returns the evicted entries, and whether the response differs from the one before; `undefined` if it was not stored.
   */
  async put(
    stored: StoredResponse,
    body: StoredBody,
    id: string,
    sentIn: number,
  ): Promise<{ evicted: Usage; isNew: boolean } | undefined> {
    const { partition, url, receivedAt } = stored;
    const seen = this.generation;
    if (this.#history.since(sentIn, stored, 'deleted')) return undefined;
    const others = await this.#variants(partition, url);
    const same = others.filter((other) => isSameVariant(other.response, stored));
    const key = (await this.records.prefix(partition, url)) + id;
    const cached: CachedResponse = {
      ...toCachedResponse(key, stored, {
        size: bodySize(body),
        usedAt: receivedAt,
        ...this.#marks(stored, sentIn),
      }),
      body,
    };
    if (same.some((other) => isOutdatedBy(cached, other, this.#options.now()))) return undefined;
    const different = others.filter((each) => !same.includes(each)).sort((a, b) => b.usedAt - a.usedAt);
    const replaced = [...same, ...different.splice(MAX_VARIANTS - 1)];
    await this.records.put(
      cached,
      body,
      replaced.map((each) => each.key),
    );
    if (this.#history.since(sentIn, stored, 'deleted')) {
      await this.records.quota.delete([key]);
      return undefined;
    }
    // The invalidating write may have come before this record was there.
    const { invalidated } = this.#marks(stored, sentIn);
    if (invalidated && !cached.invalidated) await this.records.update(key, { invalidated });
    const isAlone = !this.#history.since(seen, stored, 'changed');
    const isNew = !same.some((other) => hasSameContent(other, cached));
    this.#change({ what: isNew ? 'stored' : 'changed', partition, url, at: receivedAt });
    if (!cached.unconfirmed && !invalidated) this.#history.record('current', stored);
    if (isAlone) this.#memory.put(keyPrefix(partition, url), [...different, cached]);
    return { evicted: await this.records.quota.enforce(key), isNew };
  }

  /** Updates the headers after a 304; the body stays. @param mayWrite The same user requested it. */
  async freshen(
    cached: CachedResponse,
    stored: StoredResponse,
    sentIn: number,
    mayWrite: boolean,
  ): Promise<CachedResponse> {
    const { partition, url, receivedAt } = stored;
    const { key, size, body } = cached;
    const { unconfirmed } = this.#marks(stored, sentIn);
    const fresh = { ...toCachedResponse(key, stored, { size, usedAt: receivedAt, unconfirmed }), body };
    if (!mayWrite || this.wasDeleted(stored, sentIn)) return fresh;
    const seen = this.generation;
    const isThere = await this.records.replace(fresh);
    // Replaced or deleted in between: it is still a response, but not in the cache any more.
    if (!isThere || this.#history.since(seen, stored, 'changed')) return fresh;
    const place = keyPrefix(partition, url);
    const others = this.#memory.get(place)?.filter((each) => each.key !== key) ?? [];
    this.#change({ what: 'changed', partition, url, at: receivedAt });
    if (!unconfirmed) this.#history.record('current', stored);
    this.#memory.put(place, [...others, fresh]);
    return fresh;
  }

  /** Deletes a cached response that the origin would not send now. */
  async drop({ key, response: { partition, url } }: CachedResponse): Promise<Usage> {
    this.#change({ what: 'changed', partition, url, at: this.#options.now() });
    return this.records.quota.delete([key]);
  }

  /** The cached responses of a URL may be outdated: they are revalidated before they are fresh again. */
  markUnconfirmed(partition: string, url: string): Promise<number> {
    return this.#mark('unconfirmed', partition, url, { unconfirmed: true });
  }

  /**
   * A write has changed the resource: its cached responses are never fresh again, nor are responses to earlier requests.
   *
   * @returns how many there were.
   */
  invalidate(partition: string, url: string): Promise<number> {
    return this.#mark('invalidated', partition, url, { invalidated: true }).catch(() =>
      // On a full disk, mark by deleting: that needs no room.
      this.delete(partition, url),
    );
  }

  /** Deletes all variants of a URL, of a partition, or everything. @returns how many there were. */
  async delete(partition?: string, url?: string): Promise<number> {
    const at = this.#options.now();
    this.#change({ what: 'deleted', partition, url, at });
    const name = url === undefined ? this.#nameOf(partition) : undefined;
    return this.#deletions.run(keyPrefix(partition, url), at, name, () =>
      this.records.deleteAll(partition, url),
    );
  }

  /** Handles a message of another tab. */
  async receive(message: CacheMessage): Promise<void> {
    const { what, partition, url, at } = message;
    this.#record(message);
    if (what !== 'deleted') return;
    if (url === undefined)
      this.#deletions.receive(await this.#nameOf(partition), Math.min(at, this.#options.now()));
    // Responses that this tab stored before the message came.
    await this.records.deleteAll(partition, url, at);
  }

  /** Cached responses without their bodies, in the order of their keys. @param after The last key of the page before. */
  async list(partition: string | undefined, after: string, limit: number): Promise<CachedResponse[]> {
    await this.#open();
    return this.records.list(partition, after, limit);
  }

  async usage(partition: string | undefined): Promise<Usage> {
    await this.#open();
    return this.records.usage(partition);
  }

  /**
   * Each call opens for itself until one has succeeded: a store may hang, and if I/O belongs to one request, calls cannot share the
   * wait.
   */
  async #open(): Promise<void> {
    if (this.#isOpen) return;
    await Promise.all([this.records.quota.read(), this.#deletions.open(this.#options.now())]);
    this.#isOpen = true;
  }

  async #variants(partition: string, url: string, withBodies = false): Promise<CachedResponse[]> {
    await this.#open();
    const name = await this.#nameOf(partition);
    const found = await this.records.variants(partition, url, {
      withBodies,
      // A deleted response may still be stored.
      isUsable: (stored) => !this.#deletions.covers(name, stored, this.#options.now()),
      unreadable: this.#options.discarded,
    });
    const marks = this.isOutdated(partition, url) && this.#unstored.at(keyPrefix(partition, url));
    return marks ? found.map((each) => ({ ...each, ...marks })) : found;
  }

  async #mark(
    what: 'unconfirmed' | 'invalidated',
    partition: string,
    url: string,
    marks: Marks,
  ): Promise<number> {
    const at = this.#options.now();
    // At once, for requests under way.
    this.#change({ what, partition, url, at });
    const writing = this.records.updateAll(partition, url, marks);
    const count = await this.#unstored.until(keyPrefix(partition, url), marks, writing);
    // Drops entries read into memory in between.
    if (count > 0) this.#change({ what: 'changed', partition, url, at });
    return count;
  }

  /** Stored responses have changed, here or in another tab. */
  #record(message: CacheMessage): void {
    this.#history.record(message.what, message);
    this.#memory.drop(message.partition, message.url);
  }

  #change(message: CacheMessage): void {
    this.#record(message);
    this.#options.broadcast(message);
  }

  /** Writes to the resource since a request was sent. */
  #marks(stored: StoredResponse, generation: number): { unconfirmed: boolean; invalidated: boolean } {
    return {
      unconfirmed: this.#history.since(generation, stored, 'unconfirmed'),
      invalidated: this.#history.since(generation, stored, 'invalidated'),
    };
  }

  /** The name of a partition as it is stored. */
  async #nameOf(partition: string | undefined): Promise<string> {
    return partition === undefined ? ALL : (await this.records.prefix(partition)).slice(KEY_PREFIX.length);
  }
}
