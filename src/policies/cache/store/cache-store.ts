import { type Cipher, type Item, isQuotaExceeded, type Store, type StoredBody } from '../../../core/store.ts';
import type { CacheSettings } from '../options.ts';
import type { CacheMessage } from './channel.ts';
import {
  type CachedResponse,
  type CacheRecord,
  encodeBody,
  hasSameContent,
  isCacheRecord,
  isComplete,
  isSameVariant,
  itemOf,
  KEY_PREFIX,
  keyPrefix,
  keyPrefixes,
  readBody,
  readItem,
  type StoredResponse,
  selectVariant,
  storedKeyPrefix,
  toCachedResponse,
  toRecord,
} from './entry.ts';
import { MemoryLru } from './memory-lru.ts';
import { Quota, sum, type Usage } from './quota.ts';
import { ALL, type Epoch, Generations, PartitionTombstones } from './tombstones.ts';

/** A use is recorded at most this often, in ms: reads should not cause writes. */
const TOUCH_INTERVAL = 60_000;

/** How many variants of a URL are stored: all are read to select one, and some origins vary by unique values. */
const MAX_VARIANTS = 20;

/** How many failed deletions are remembered. */
const MAX_PENDING_DELETIONS = 1_000;

/** How many records are deleted at a time. */
const PAGE = 500;

/** Cached responses in a store, with an LRU in memory before it: found by partition, URL and varying headers. */
export class CacheStore {
  readonly #store: Store;
  readonly #cipher: Cipher | undefined;
  readonly #memory: MemoryLru;
  readonly #quota: Quota;
  readonly #tombstones: PartitionTombstones;
  /** Guards against writes of responses that were requested before a change. */
  readonly #epoch: Epoch = { epoch: 0 };
  readonly #deleted = new Generations(this.#epoch);
  readonly #invalidated = new Generations(this.#epoch);
  readonly #doubted = new Generations(this.#epoch);
  readonly #changed = new Generations(this.#epoch);
  readonly #stored = new Generations(this.#epoch);
  /** Deletions that failed: responses requested before them are not used. Wall times in ms. */
  readonly #pendingDeletions = new Map<string, number>();
  readonly #broadcast: (message: CacheMessage) => void;
  readonly #discarded: () => void;
  #isOpen = false;

  /**
   * @param broadcast Posts to other tabs.
   * @param discarded Called for records that cannot be read.
   */
  constructor(settings: CacheSettings, broadcast: (message: CacheMessage) => void, discarded: () => void) {
    const { store, encryption, memory, maxBytes, maxEntries } = settings;
    this.#store = store;
    this.#cipher = encryption;
    this.#memory = new MemoryLru(memory);
    this.#quota = new Quota(store, {
      most: { entries: maxEntries, bytes: maxBytes },
      encrypted: encryption !== undefined,
      onEvict: (keys) => this.#memory.dropKeys(keys),
    });
    this.#tombstones = new PartitionTombstones(store);
    this.#broadcast = broadcast;
    this.#discarded = discarded;
  }

  /** To be recorded when a request is sent. */
  get epoch(): number {
    return this.#epoch.epoch;
  }

  get quota(): Quota {
    return this.#quota;
  }

  /** The cached response to a request, if it is in memory; `undefined` says nothing about the store. */
  inMemory(partition: string, request: Request): CachedResponse | undefined {
    return selectVariant(this.#memory.get(keyPrefix(partition, request.url)), request);
  }

  /** The cached response from the store, past the memory. */
  async findStored(partition: string, request: Request, now: number): Promise<CachedResponse | undefined> {
    const seen = this.epoch;
    const prefix = await this.#openKeyPrefix(partition, request.url, now);
    const found = await this.#readable(partition, await this.#store.rangeWithBodies({ prefix }), now);
    // After a change in between, the memory may be newer than what was read.
    if (!this.#changed.since(seen, keyPrefixes(partition, request.url)))
      this.#populate(keyPrefix(partition, request.url), found);
    return selectVariant(found, request);
  }

  /** Whether a response was deleted or invalidated after an epoch. */
  wasDeleted({ partition, url }: StoredResponse, epoch: number): boolean {
    const around = keyPrefixes(partition, url);
    return this.#deleted.since(epoch, around) || this.#invalidated.since(epoch, around);
  }

  /** Whether a URL was invalidated, and nothing was stored since: caches further down may not know. */
  isOutdated(partition: string, url: string): boolean {
    const around = keyPrefixes(partition, url);
    const marks = [this.#deleted, this.#invalidated, this.#doubted];
    const outdated = Math.max(...marks.map((mark) => mark.last(around)));
    return outdated > this.#stored.last([keyPrefix(partition, url)]);
  }

  /** The body of a cached response, if it is in memory, or was read with it. */
  bodyInMemory({ response: copy, key, stored, size }: CachedResponse): StoredBody | undefined {
    const near = this.#memory.body(keyPrefix(copy.partition, copy.url), key);
    return near || this.#cipher || !isComplete(stored, size) ? near : stored;
  }

  /** @returns `undefined` if it is gone or incomplete: then the cached response is discarded. */
  async body(cached: CachedResponse, now: number): Promise<StoredBody | undefined> {
    const stored = cached.stored ?? (await this.#store.body(cached.key));
    const body = stored ? await readBody(cached, stored, this.#cipher).catch(() => undefined) : undefined;
    if (body === undefined) await this.#discard(cached, now);
    if (body instanceof Uint8Array)
      this.#memory.putBody(keyPrefix(cached.response.partition, cached.response.url), cached.key, body);
    return body;
  }

  /** A cached response is used. @returns the write that records it, if it is due. */
  touch(cached: CachedResponse, now: number): (() => Promise<boolean>) | undefined {
    if (Math.abs(now - cached.usedAt) < TOUCH_INTERVAL) return undefined;
    cached.usedAt = now;
    return () => this.#update(cached.key, (row) => ({ ...row, usedAt: now }));
  }

  /**
   * Stores a response, unless it was deleted since the request, or a later one is there. One that was requested before a write may
   * still stand in for a failing origin.
   *
   * @param id Unique.
   * @param asked The epoch of its request.
   * @returns what was evicted for it, and whether it differs from the one before; `undefined` if it was not stored.
   */
  async put(
    copy: StoredResponse,
    body: StoredBody,
    size: number,
    id: string,
    asked: number,
    now: number,
  ): Promise<{ evicted: Usage; isNew: boolean } | undefined> {
    const { partition, url, requestedAt, receivedAt } = copy;
    const around = keyPrefixes(partition, url);
    const seen = this.epoch;
    if (this.#deleted.since(asked, around)) return undefined;
    const prefix = await this.#openKeyPrefix(partition, url, now);
    const others = await this.#readable(partition, await this.#store.range({ prefix }), now);
    const same = others.filter((other) => isSameVariant(other.response, copy));
    // The later response stays; a time in the future comes from a wrong clock.
    if (same.some(({ freshness }) => freshness.receivedAt > receivedAt && freshness.receivedAt <= now))
      return undefined;
    const crowded = others.filter((each) => !same.includes(each)).sort((a, b) => b.usedAt - a.usedAt);
    const replaced = [...same, ...crowded.slice(MAX_VARIANTS - 1)];
    const key = prefix + id;
    const doubtful = this.#doubted.since(asked, around);
    const invalidated = this.#invalidated.since(asked, around);
    const facts = { size, usedAt: receivedAt, requestedAt, doubtful, invalidated };
    const row = await toRecord(key, copy, facts, this.#cipher);
    const written = await encodeBody(key, body, this.#cipher);
    await this.#quota.change(
      replaced.map((each) => each.key),
      (found) => ({
        changes: [
          ...found.flatMap((item) => (item ? [{ delete: item.key }] : [])),
          { put: itemOf(key, row), body: written },
        ],
        result: undefined,
      }),
    );
    if (this.#deleted.since(asked, around)) {
      await this.#quota.delete([key]);
      return undefined;
    }
    // The invalidating write may have come before this record was there.
    const isOvertaken = this.#invalidated.since(asked, around);
    if (isOvertaken && !invalidated) await this.#update(key, (row) => ({ ...row, invalidated: true }));
    const isAlone = !this.#changed.since(seen, around);
    const isNew = !same.some((other) => hasSameContent(other, copy, size));
    this.#change({ what: isNew ? 'stored' : 'changed', partition, url, at: receivedAt });
    if (!doubtful && !isOvertaken) this.#stored.mark(keyPrefix(partition, url));
    if (isAlone) {
      const variants = [
        ...others.filter((each) => !replaced.includes(each)),
        toCachedResponse(key, copy, facts),
      ];
      this.#memory.put(keyPrefix(partition, url), variants);
      if (body instanceof Uint8Array) this.#memory.putBody(keyPrefix(partition, url), key, body);
    }
    return { evicted: await this.#quota.enforce(key), isNew };
  }

  /** Updates the headers after a 304; the body stays. @param mayWrite The same user requested it. */
  async freshen(
    cached: CachedResponse,
    copy: StoredResponse,
    asked: number,
    mayWrite: boolean,
  ): Promise<CachedResponse> {
    const { partition, url, requestedAt, receivedAt } = copy;
    const around = keyPrefixes(partition, url);
    const doubtful = this.#doubted.since(asked, around);
    const facts = { size: cached.size, usedAt: receivedAt, requestedAt, doubtful };
    const fresh = toCachedResponse(cached.key, copy, facts);
    const refreshed: CachedResponse = { ...fresh, stored: cached.stored ?? this.bodyInMemory(cached) };
    if (!mayWrite || this.wasDeleted(copy, asked)) return refreshed;
    const seen = this.epoch;
    const row = await toRecord(cached.key, copy, facts, this.#cipher);
    const isThere = await this.#update(cached.key, () => row);
    // Replaced or deleted in between: it is still a response, but not in the cache any more.
    if (!isThere || this.#changed.since(seen, around)) return refreshed;
    const place = keyPrefix(partition, url);
    const body = this.bodyInMemory(cached);
    const others = this.#memory.get(place)?.filter(({ key }) => key !== cached.key) ?? [];
    this.#change({ what: 'changed', partition, url, at: receivedAt });
    if (!doubtful) this.#stored.mark(place);
    this.#memory.put(place, [...others, fresh]);
    if (body instanceof Uint8Array) this.#memory.putBody(place, cached.key, body);
    return refreshed;
  }

  /** Deletes a cached response that the origin would not send now. */
  async drop({ key, response: { partition, url } }: CachedResponse, now: number): Promise<Usage> {
    this.#change({ what: 'changed', partition, url, at: now });
    return this.#quota.delete([key]);
  }

  /** Cached responses that may be outdated: they are revalidated before they are fresh again. */
  async markDoubtful(partition: string, url: string, now: number): Promise<void> {
    // At once, for requests under way.
    this.#doubted.mark(keyPrefix(partition, url));
    this.#change({ what: 'doubted', partition, url, at: now });
    const items = await this.#store.range({ prefix: await storedKeyPrefix(this.#cipher, partition, url) });
    for (const { key } of items) await this.#update(key, (row) => ({ ...row, doubtful: true }));
    // Drops what was read into memory in between.
    if (items.length > 0) this.#change({ what: 'changed', partition, url, at: now });
  }

  /**
   * A write has changed the resource: its cached responses are never fresh again, nor are responses to earlier requests.
   *
   * @returns how many there were.
   */
  async invalidate(partition: string, url: string, at: number): Promise<number> {
    this.#invalidated.mark(keyPrefix(partition, url));
    this.#change({ what: 'invalidated', partition, url, at });
    try {
      const items = await this.#store.range({ prefix: await storedKeyPrefix(this.#cipher, partition, url) });
      for (const { key } of items) await this.#update(key, (row) => ({ ...row, invalidated: true }));
      // Drops what was read into memory in between.
      if (items.length > 0) this.#change({ what: 'changed', partition, url, at });
      return items.length;
    } catch {
      // On a full disk, mark by deleting: that needs no room.
      return this.delete(partition, url, at);
    }
  }

  /** Deletes all variants of a URL, of a partition, or everything. @returns how many there were. */
  async delete(partition: string | undefined, url: string | undefined, at: number): Promise<number> {
    const place = keyPrefix(partition, url);
    this.#deleted.mark(place);
    this.#change({ what: 'forgot', partition, url, at });
    this.#pendingDeletions.set(place, at);
    if (this.#pendingDeletions.size > MAX_PENDING_DELETIONS)
      this.#pendingDeletions.delete(this.#pendingDeletions.keys().next().value as string);
    const mark = async (): Promise<void> => {
      if (url === undefined) await this.#tombstones.mark(await this.#nameOf(partition), at);
    };
    // On a full disk there is room for a tombstone only after the deletion.
    const isMarked = await mark().then(
      () => true,
      () => false,
    );
    const gone = await this.#deleteAll(await storedKeyPrefix(this.#cipher, partition, url));
    // If there is still no room, no late response can be stored either.
    if (!isMarked)
      await mark().catch((error) => {
        if (!isQuotaExceeded(error)) throw error;
      });
    if (this.#pendingDeletions.get(place) === at) this.#pendingDeletions.delete(place);
    return gone;
  }

  /** Handles a message of another tab. */
  async receive({ what, partition, url, at }: CacheMessage, now: number): Promise<void> {
    const place = keyPrefix(partition, url);
    this.#changed.mark(place);
    this.#memory.drop(partition, url);
    if (what === 'doubted') this.#doubted.mark(place);
    if (what === 'invalidated') this.#invalidated.mark(place);
    if (what === 'forgot') this.#deleted.mark(place);
    if (what !== 'forgot') return;
    if (url === undefined) this.#tombstones.receive(await this.#nameOf(partition), Math.min(at, now));
    // Responses that this tab stored before the message came.
    await this.#deleteAll(await storedKeyPrefix(this.#cipher, partition, url), at);
  }

  /** Cached responses without their bodies, in the order of their keys. @param after The last key of the page before. */
  async list(
    partition: string | undefined,
    after: string,
    limit: number,
    now: number,
  ): Promise<CachedResponse[]> {
    await this.#open(now);
    const prefix = await storedKeyPrefix(this.#cipher, partition);
    const found: CachedResponse[] = [];
    for (let from = after; found.length < limit; ) {
      const items = await this.#store.range({ prefix, after: from, limit: limit - found.length });
      const cached = await Promise.all(items.map((item) => readItem(item, this.#cipher)));
      // Records that cannot be read are skipped.
      found.push(...cached.filter((each) => each !== undefined));
      const last = items.at(-1);
      if (!last) break;
      from = last.key;
    }
    return found;
  }

  async usage(partition: string | undefined, now: number): Promise<Usage> {
    await this.#open(now);
    if (partition === undefined) return this.#quota.read();
    return sum(await this.#store.range({ prefix: await storedKeyPrefix(this.#cipher, partition) }));
  }

  /** @returns the stored key prefix of a URL. */
  async #openKeyPrefix(partition: string, url: string, now: number): Promise<string> {
    await this.#open(now);
    return storedKeyPrefix(this.#cipher, partition, url);
  }

  /**
   * Each call opens for itself until one has succeeded: a store may hang, and if I/O belongs to one request, calls cannot share the
   * wait.
   */
  async #open(now: number): Promise<void> {
    if (this.#isOpen) return;
    await Promise.all([this.#quota.open(), this.#tombstones.open(now)]);
    this.#isOpen = true;
  }

  /** The usable ones of some records; the others are deleted. */
  async #readable(
    partition: string,
    items: readonly (Item & { readonly body?: StoredBody | undefined })[],
    now: number,
  ): Promise<CachedResponse[]> {
    const name = await this.#nameOf(partition);
    const found: CachedResponse[] = [];
    const gone: string[] = [];
    for (const item of items) {
      const cached = await readItem(item, this.#cipher);
      if (cached && cached.response.partition === partition && !this.#isDeleted(name, cached.response, now))
        found.push({ ...cached, stored: item.body });
      else gone.push(item.key);
      if (!cached) this.#discarded();
    }
    if (gone.length) await this.#quota.delete(gone);
    // Their sizes are unknown.
    if (items.some(({ value }) => !isCacheRecord(value))) await this.#quota.recount();
    return found;
  }

  /** A deleted response may still be stored, because the store failed or a tab missed the message. */
  #isDeleted(name: string, copy: StoredResponse, now: number): boolean {
    const isOwed = keyPrefixes(copy.partition, copy.url).some(
      (place) => copy.requestedAt <= (this.#pendingDeletions.get(place) ?? -Infinity),
    );
    return isOwed || this.#tombstones.covers(name, copy, now);
  }

  /** Deletes an incomplete record; one that is not there was replaced in between. */
  async #discard(cached: CachedResponse, now: number): Promise<void> {
    const { entries } = await this.drop(cached, now);
    if (entries) this.#discarded();
  }

  #populate(place: string, found: readonly CachedResponse[]): void {
    this.#memory.put(
      place,
      found.map(({ stored, ...rest }) => rest),
    );
    if (this.#cipher) return;
    for (const { key, stored, size } of found)
      if (stored instanceof Uint8Array && isComplete(stored, size)) this.#memory.putBody(place, key, stored);
  }

  /** @returns whether the record was there. */
  #update(key: string, update: (row: CacheRecord) => CacheRecord): Promise<boolean> {
    return this.#quota.change([key], ([item]) => {
      const row = item && isCacheRecord(item.value) ? item.value : undefined;
      return { changes: row ? [{ put: itemOf(key, update(row)) }] : [], result: row !== undefined };
    });
  }

  #change(message: CacheMessage): void {
    this.#changed.mark(keyPrefix(message.partition, message.url));
    this.#memory.drop(message.partition, message.url);
    this.#broadcast(message);
  }

  /** @param before Only responses requested before; wall time in ms. */
  async #deleteAll(prefix: string, before = Infinity): Promise<number> {
    let gone = 0;
    for (let after = '', items: Item[]; ; after = (items.at(-1) as Item).key) {
      items = await this.#store.range({ prefix, after, limit: PAGE });
      const old = items.filter(({ value }) => !isCacheRecord(value) || value.requestedAt < before);
      if (old.length) gone += (await this.#quota.delete(old.map(({ key }) => key))).entries;
      if (items.length < PAGE) return gone;
    }
  }

  async #nameOf(partition: string | undefined): Promise<string> {
    return partition === undefined
      ? ALL
      : (await storedKeyPrefix(this.#cipher, partition)).slice(KEY_PREFIX.length);
  }
}
