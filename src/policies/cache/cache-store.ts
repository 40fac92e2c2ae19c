import type { Cipher } from '../../core/codec.ts';
import { isQuotaExceeded } from '../../core/full.ts';
import type { Item, Store, StoredBody } from '../../core/store.ts';
import {
  COPIES,
  type Copy,
  chosen,
  type Held,
  heldOf,
  isEqual,
  isRow,
  isSame,
  isWhole,
  itemOf,
  placeOf,
  placesAround,
  type Row,
  readBody,
  readItem,
  rowOf,
  storedPlaceOf,
  writtenBody,
} from './entry.ts';
import { Hot } from './memory-lru.ts';
import type { CacheSettings } from './options.ts';
import { Limits, sum, type Usage } from './quota.ts';
import type { Word } from './tabs.ts';
import { ALL, Cleared, type Counter, Recent } from './tombstones.ts';

/** A use is noted at most this often, in ms: reading should not mean writing. */
const TOUCH_EVERY = 60_000;

/** So many variants of one URL: all are read to find one, and some origins vary by what never comes twice. */
const VARIANTS = 20;

/** So many deletions that failed are remembered. */
const OWED = 1_000;

/** So many are deleted at a time. */
const PAGE = 500;

/** The copies in a store, and the hottest in memory before it: found by partition, URL and varying headers. */
export class Shelf {
  readonly #store: Store;
  readonly #codec: Cipher | undefined;
  readonly #hot: Hot;
  readonly #limits: Limits;
  readonly #cleared: Cleared;
  /** What happened lately, to copies that may be under way. */
  readonly #counter: Counter = { moment: 0 };
  readonly #forgotten = new Recent(this.#counter);
  readonly #invalidated = new Recent(this.#counter);
  readonly #doubted = new Recent(this.#counter);
  readonly #changed = new Recent(this.#counter);
  readonly #stored = new Recent(this.#counter);
  /** What is still to be deleted, because the store failed: what was asked for before is not used. Wall times in ms. */
  readonly #owed = new Map<string, number>();
  readonly #tell: (word: Word) => void;
  readonly #discarded: () => void;
  #isOpen = false;

  /**
   * @param tell Tells other tabs.
   * @param discarded Told of records that cannot be read.
   */
  constructor(settings: CacheSettings, tell: (word: Word) => void, discarded: () => void) {
    const { store, encryption, memory, maxBytes, maxEntries } = settings;
    this.#store = store;
    this.#codec = encryption;
    this.#hot = new Hot(memory);
    this.#limits = new Limits(store, {
      most: { entries: maxEntries, bytes: maxBytes },
      sealed: encryption !== undefined,
      evicted: (keys) => this.#hot.dropKeys(keys),
    });
    this.#cleared = new Cleared(store);
    this.#tell = tell;
    this.#discarded = discarded;
  }

  /** To be noted when an answer is asked for. */
  get moment(): number {
    return this.#counter.moment;
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** The copy that answers this request, if it is in memory; `undefined` says nothing about the store. */
  near(partition: string, request: Request): Held | undefined {
    return chosen(this.#hot.held(placeOf(partition, request.url)), request);
  }

  /** As it is in the store, whatever is in memory. */
  async findStored(partition: string, request: Request, now: number): Promise<Held | undefined> {
    const seen = this.moment;
    const prefix = await this.#ready(partition, request.url, now);
    const found = await this.#readable(partition, await this.#store.rangeWithBodies({ prefix }), now);
    // What has changed meanwhile may be the other way round in memory.
    if (!this.#changed.since(seen, placesAround(partition, request.url)))
      this.#heat(placeOf(partition, request.url), found);
    return chosen(found, request);
  }

  /** Whether a copy was forgotten or invalidated after a moment. */
  wasForgotten({ partition, url }: Copy, moment: number): boolean {
    const around = placesAround(partition, url);
    return this.#forgotten.since(moment, around) || this.#invalidated.since(moment, around);
  }

  /** Whether something of a URL became wrong, and nothing was stored since: caches further down may not know. */
  isOutdated(partition: string, url: string): boolean {
    const around = placesAround(partition, url);
    const marks = [this.#forgotten, this.#invalidated, this.#doubted];
    const outdated = Math.max(...marks.map((mark) => mark.last(around)));
    return outdated > this.#stored.last([placeOf(partition, url)]);
  }

  /** The body of a copy, if it is in memory, or has been read with the copy. */
  nearBody({ copy, key, stored, size }: Held): StoredBody | undefined {
    const near = this.#hot.body(placeOf(copy.partition, copy.url), key);
    return near || this.#codec || !isWhole(stored, size) ? near : stored;
  }

  /** @returns `undefined` where it has gone, or is not what was written: then there is no copy any more. */
  async body(held: Held, now: number): Promise<StoredBody | undefined> {
    const stored = held.stored ?? (await this.#store.body(held.key));
    const body = stored ? await readBody(held, stored, this.#codec).catch(() => undefined) : undefined;
    if (body === undefined) await this.#discard(held, now);
    if (body instanceof Uint8Array)
      this.#hot.putBody(placeOf(held.copy.partition, held.copy.url), held.key, body);
    return body;
  }

  /** A copy is used. @returns what notes it, if it is worth noting. */
  touch(held: Held, now: number): (() => Promise<boolean>) | undefined {
    if (Math.abs(now - held.usedAt) < TOUCH_EVERY) return undefined;
    held.usedAt = now;
    return () => this.#update(held.key, (row) => ({ ...row, usedAt: now }));
  }

  /**
   * Keeps a copy, unless something has been forgotten that it would bring back, or a later one is there. One that was asked for
   * before a write may still stand in for a failing origin.
   *
   * @param id Unique.
   * @param asked The moment at which it was asked for.
   * @returns what had to go for it, and whether it differs from the one before; `undefined` if it was not kept.
   */
  async keep(
    copy: Copy,
    body: StoredBody,
    size: number,
    id: string,
    asked: number,
    now: number,
  ): Promise<{ evicted: Usage; isNews: boolean } | undefined> {
    const { partition, url, requestedAt, receivedAt } = copy;
    const around = placesAround(partition, url);
    const seen = this.moment;
    if (this.#forgotten.since(asked, around)) return undefined;
    const prefix = await this.#ready(partition, url, now);
    const others = await this.#readable(partition, await this.#store.range({ prefix }), now);
    const same = others.filter((other) => isSame(other.copy, copy));
    // Of two answers the later one stays; a time that is yet to come is a clock's that was wrong.
    if (same.some(({ terms }) => terms.receivedAt > receivedAt && terms.receivedAt <= now)) return undefined;
    const crowded = others.filter((each) => !same.includes(each)).sort((a, b) => b.usedAt - a.usedAt);
    const replaced = [...same, ...crowded.slice(VARIANTS - 1)];
    const key = prefix + id;
    const doubtful = this.#doubted.since(asked, around);
    const invalidated = this.#invalidated.since(asked, around);
    const facts = { size, usedAt: receivedAt, requestedAt, doubtful, invalidated };
    const row = await rowOf(key, copy, facts, this.#codec);
    const written = await writtenBody(key, body, this.#codec);
    await this.#limits.change(
      replaced.map((each) => each.key),
      (found) => ({
        changes: [
          ...found.flatMap((item) => (item ? [{ delete: item.key }] : [])),
          { put: itemOf(key, row), body: written },
        ],
        result: undefined,
      }),
    );
    if (this.#forgotten.since(asked, around)) {
      await this.#limits.delete([key]);
      return undefined;
    }
    // Its write may have come before this one was there.
    const isOvertaken = this.#invalidated.since(asked, around);
    if (isOvertaken && !invalidated) await this.#update(key, (row) => ({ ...row, invalidated: true }));
    const isAlone = !this.#changed.since(seen, around);
    const isNews = !same.some((other) => isEqual(other, copy, size));
    this.#change({ what: isNews ? 'stored' : 'changed', partition, url, at: receivedAt });
    if (!doubtful && !isOvertaken) this.#stored.mark(placeOf(partition, url));
    if (isAlone) {
      const variants = [...others.filter((each) => !replaced.includes(each)), heldOf(key, copy, facts)];
      this.#hot.put(placeOf(partition, url), variants);
      if (body instanceof Uint8Array) this.#hot.putBody(placeOf(partition, url), key, body);
    }
    return { evicted: await this.#limits.within(key), isNews };
  }

  /** Writes what a confirmed copy says of itself now; its body stays. @param mayWrite It was asked for by the same user. */
  async freshen(held: Held, copy: Copy, asked: number, mayWrite: boolean): Promise<Held> {
    const { partition, url, requestedAt, receivedAt } = copy;
    const around = placesAround(partition, url);
    const doubtful = this.#doubted.since(asked, around);
    const facts = { size: held.size, usedAt: receivedAt, requestedAt, doubtful };
    const fresh = heldOf(held.key, copy, facts);
    const answer: Held = { ...fresh, stored: held.stored ?? this.nearBody(held) };
    if (!mayWrite || this.wasForgotten(copy, asked)) return answer;
    const seen = this.moment;
    const row = await rowOf(held.key, copy, facts, this.#codec);
    const isThere = await this.#update(held.key, () => row);
    // Replaced or forgotten meanwhile it is still an answer, but no copy any more.
    if (!isThere || this.#changed.since(seen, around)) return answer;
    const place = placeOf(partition, url);
    const body = this.nearBody(held);
    const others = this.#hot.held(place)?.filter(({ key }) => key !== held.key) ?? [];
    this.#change({ what: 'changed', partition, url, at: receivedAt });
    if (!doubtful) this.#stored.mark(place);
    this.#hot.put(place, [...others, fresh]);
    if (body instanceof Uint8Array) this.#hot.putBody(place, held.key, body);
    return answer;
  }

  /** A copy that is not what the origin would give. */
  async drop({ key, copy: { partition, url } }: Held, now: number): Promise<Usage> {
    this.#change({ what: 'changed', partition, url, at: now });
    return this.#limits.delete([key]);
  }

  /** Copies of a URL that may be wrong now: they need a word of the origin before they are fresh again. */
  async doubt(partition: string, url: string, now: number): Promise<void> {
    // At once, for what is under way.
    this.#doubted.mark(placeOf(partition, url));
    this.#change({ what: 'doubted', partition, url, at: now });
    const items = await this.#store.range({ prefix: await storedPlaceOf(this.#codec, partition, url) });
    for (const { key } of items) await this.#update(key, (row) => ({ ...row, doubtful: true }));
    // What was read into memory between the two.
    if (items.length > 0) this.#change({ what: 'changed', partition, url, at: now });
  }

  /**
   * A write has changed the resource: its copies are never fresh again, and neither is what was asked for before.
   *
   * @returns how many copies there were.
   */
  async invalidate(partition: string, url: string, at: number): Promise<number> {
    this.#invalidated.mark(placeOf(partition, url));
    this.#change({ what: 'invalidated', partition, url, at });
    try {
      const items = await this.#store.range({ prefix: await storedPlaceOf(this.#codec, partition, url) });
      for (const { key } of items) await this.#update(key, (row) => ({ ...row, invalidated: true }));
      // What was read into memory between the two.
      if (items.length > 0) this.#change({ what: 'changed', partition, url, at });
      return items.length;
    } catch {
      // A full disk takes no mark; a deletion needs no room.
      return this.forget(partition, url, at);
    }
  }

  /** Forgets all variants of a URL, of a partition, or everything. @returns how many copies there were. */
  async forget(partition: string | undefined, url: string | undefined, at: number): Promise<number> {
    const place = placeOf(partition, url);
    this.#forgotten.mark(place);
    this.#change({ what: 'forgot', partition, url, at });
    this.#owed.set(place, at);
    if (this.#owed.size > OWED) this.#owed.delete(this.#owed.keys().next().value as string);
    const mark = async (): Promise<void> => {
      if (url === undefined) await this.#cleared.mark(await this.#nameOf(partition), at);
    };
    // On a full disk there is room for a mark only when something has gone.
    const isMarked = await mark().then(
      () => true,
      () => false,
    );
    const gone = await this.#deleteAll(await storedPlaceOf(this.#codec, partition, url));
    // Where there is none even so, nobody can keep anything late.
    if (!isMarked)
      await mark().catch((error) => {
        if (!isQuotaExceeded(error)) throw error;
      });
    if (this.#owed.get(place) === at) this.#owed.delete(place);
    return gone;
  }

  /** What another tab tells. */
  async heard({ what, partition, url, at }: Word, now: number): Promise<void> {
    const place = placeOf(partition, url);
    this.#changed.mark(place);
    this.#hot.drop(partition, url);
    if (what === 'doubted') this.#doubted.mark(place);
    if (what === 'invalidated') this.#invalidated.mark(place);
    if (what === 'forgot') this.#forgotten.mark(place);
    if (what !== 'forgot') return;
    if (url === undefined) this.#cleared.heard(await this.#nameOf(partition), Math.min(at, now));
    // What this tab has kept before it heard of it.
    await this.#deleteAll(await storedPlaceOf(this.#codec, partition, url), at);
  }

  /** Copies without their bodies, in the order of their keys. @param after The key of the last one before. */
  async list(partition: string | undefined, after: string, limit: number, now: number): Promise<Held[]> {
    await this.#open(now);
    const prefix = await storedPlaceOf(this.#codec, partition);
    const found: Held[] = [];
    for (let from = after; found.length < limit; ) {
      const items = await this.#store.range({ prefix, after: from, limit: limit - found.length });
      const held = await Promise.all(items.map((item) => readItem(item, this.#codec)));
      // What cannot be read is passed over, and is not the end.
      found.push(...held.filter((each) => each !== undefined));
      const last = items.at(-1);
      if (!last) break;
      from = last.key;
    }
    return found;
  }

  async usage(partition: string | undefined, now: number): Promise<Usage> {
    await this.#open(now);
    if (partition === undefined) return this.#limits.read();
    return sum(await this.#store.range({ prefix: await storedPlaceOf(this.#codec, partition) }));
  }

  /** @returns the place of a URL, as it is written. */
  async #ready(partition: string, url: string, now: number): Promise<string> {
    await this.#open(now);
    return storedPlaceOf(this.#codec, partition, url);
  }

  /**
   * Each call for itself, until one has done it: a store may hang, and where I/O belongs to one request nobody may wait
   * for another's.
   */
  async #open(now: number): Promise<void> {
    if (this.#isOpen) return;
    await Promise.all([this.#limits.open(), this.#cleared.open(now)]);
    this.#isOpen = true;
  }

  /** What of these can be used; the rest goes. */
  async #readable(
    partition: string,
    items: readonly (Item & { readonly body?: StoredBody | undefined })[],
    now: number,
  ): Promise<Held[]> {
    const name = await this.#nameOf(partition);
    const found: Held[] = [];
    const gone: string[] = [];
    for (const item of items) {
      const held = await readItem(item, this.#codec);
      if (held && held.copy.partition === partition && !this.#wasToGo(name, held.copy, now))
        found.push({ ...held, stored: item.body });
      else gone.push(item.key);
      if (!held) this.#discarded();
    }
    if (gone.length) await this.#limits.delete(gone);
    // How much that was is not known.
    if (items.some(({ value }) => !isRow(value))) await this.#limits.recount();
    return found;
  }

  /** It may still be there, because the store failed or a tab had not heard. */
  #wasToGo(name: string, copy: Copy, now: number): boolean {
    const isOwed = placesAround(copy.partition, copy.url).some(
      (place) => copy.requestedAt <= (this.#owed.get(place) ?? -Infinity),
    );
    return isOwed || this.#cleared.covers(name, copy, now);
  }

  /** Gives up a record that is not whole; what is not there at all has been replaced meanwhile. */
  async #discard(held: Held, now: number): Promise<void> {
    const { entries } = await this.drop(held, now);
    if (entries) this.#discarded();
  }

  #heat(place: string, found: readonly Held[]): void {
    this.#hot.put(
      place,
      found.map(({ stored, ...rest }) => rest),
    );
    if (this.#codec) return;
    for (const { key, stored, size } of found)
      if (stored instanceof Uint8Array && isWhole(stored, size)) this.#hot.putBody(place, key, stored);
  }

  /** @returns whether there was something. */
  #update(key: string, update: (row: Row) => Row): Promise<boolean> {
    return this.#limits.change([key], ([item]) => {
      const row = item && isRow(item.value) ? item.value : undefined;
      return { changes: row ? [{ put: itemOf(key, update(row)) }] : [], result: row !== undefined };
    });
  }

  #change(word: Word): void {
    this.#changed.mark(placeOf(word.partition, word.url));
    this.#hot.drop(word.partition, word.url);
    this.#tell(word);
  }

  /** @param before Only what was asked for before; wall time in ms. */
  async #deleteAll(prefix: string, before = Infinity): Promise<number> {
    let gone = 0;
    for (let after = '', items: Item[]; ; after = (items.at(-1) as Item).key) {
      items = await this.#store.range({ prefix, after, limit: PAGE });
      const old = items.filter(({ value }) => !isRow(value) || value.requestedAt < before);
      if (old.length) gone += (await this.#limits.delete(old.map(({ key }) => key))).entries;
      if (items.length < PAGE) return gone;
    }
  }

  async #nameOf(partition: string | undefined): Promise<string> {
    return partition === undefined ? ALL : (await storedPlaceOf(this.#codec, partition)).slice(COPIES.length);
  }
}
