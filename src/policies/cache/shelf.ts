import type { Codec } from '../../core/codec.ts';
import type { Item, Store, StoredBody } from '../../core/store.ts';
import { variesLike } from '../../http/vary.ts';
import { ALL, Cleared } from './cleared.ts';
import {
  type Copy,
  type Held,
  heldOf,
  isRow,
  isWhole,
  itemOf,
  type Row,
  readBody,
  readItem,
  rowOf,
  writtenBody,
} from './copy.ts';
import { Hot } from './hot.ts';
import { Limits, sum, type Usage } from './limits.ts';
import type { CacheSettings } from './options.ts';
import { COPIES, placeOf, placesAround, storedPlaceOf } from './place.ts';
import { Recent } from './recent.ts';
import type { Word } from './tabs.ts';

/** A use is noted at most this often, in ms: reading should not mean writing. */
const TOUCH_EVERY = 60_000;

/** So many variants of one URL: all are read to find one, and some origins vary by what never comes twice. */
const VARIANTS = 20;

/** So many are deleted at a time. */
const PAGE = 500;

/** The copies in a store, and the hottest in memory before it: found by partition, URL and varying headers. */
export class Shelf {
  readonly #store: Store;
  readonly #codec: Codec | undefined;
  readonly #hot: Hot;
  readonly #limits: Limits;
  readonly #cleared: Cleared;
  /** What was forgotten, and what was changed in any way, lately. */
  readonly #forgotten = new Recent();
  readonly #changed = new Recent();
  readonly #tell: (word: Word) => void;
  readonly #discarded: () => void;
  #opening: Promise<unknown> | undefined;

  /**
   * @param tell Tells other tabs.
   * @param discarded Told of records that cannot be read.
   */
  constructor(settings: CacheSettings, tell: (word: Word) => void, discarded: () => void) {
    const { store, codec, memory, maxBytes, maxEntries } = settings;
    this.#store = store;
    this.#codec = codec;
    this.#hot = new Hot(memory);
    this.#limits = new Limits(store, { entries: maxEntries, bytes: maxBytes }, (keys) =>
      this.#hot.dropKeys(keys),
    );
    this.#cleared = new Cleared(store);
    this.#tell = tell;
    this.#discarded = discarded;
  }

  /** To be noted when an answer is asked for. */
  get moment(): number {
    return this.#forgotten.moment;
  }

  get limits(): Limits {
    return this.#limits;
  }

  /** The copy that answers this request, if it is in memory; `undefined` says nothing about the store. */
  near(partition: string, request: Request): Held | undefined {
    return chosen(this.#hot.held(placeOf(partition, request.url)), request);
  }

  /** The copy that answers this request. */
  async find(partition: string, request: Request, now: number): Promise<Held | undefined> {
    return this.near(partition, request) ?? this.findStored(partition, request, now);
  }

  /** As it is in the store, whatever is in memory. */
  async findStored(partition: string, request: Request, now: number): Promise<Held | undefined> {
    const place = placeOf(partition, request.url);
    const seen = this.#changed.moment;
    const prefix = await this.#ready(partition, request.url, now);
    const found = await this.#readable(partition, await this.#store.wholes(prefix));
    // What has changed meanwhile may be the other way round in memory.
    if (!this.#changed.since(seen, placesAround(partition, request.url))) this.#heat(place, found);
    return chosen(found, request);
  }

  /** The body of a copy, if it is in memory, or has been read with the copy. */
  nearBody({ copy, key, stored, size }: Held): StoredBody | undefined {
    const place = placeOf(copy.partition, copy.url);
    const near = this.#hot.body(place, key);
    return near || this.#codec || !isWhole(stored, size) ? near : stored;
  }

  /** @returns `undefined` where it has gone, or is not what was written: then there is no copy any more. */
  async body(held: Held, now: number): Promise<StoredBody | undefined> {
    const near = this.nearBody(held);
    if (near) return near;
    const stored = held.stored ?? (await this.#store.body(held.key));
    const body = stored && (await readBody(held, stored, this.#codec).catch(() => undefined));
    if (body === undefined) await this.#discard(held, now);
    if (body instanceof Uint8Array)
      this.#hot.putBody(placeOf(held.copy.partition, held.copy.url), held.key, body);
    return body;
  }

  /** Whether a use is worth noting. */
  isWorthTouching = ({ usedAt }: Held, now: number): boolean => Math.abs(now - usedAt) >= TOUCH_EVERY;

  /** Notes that a copy was used. */
  async touch(held: Held, now: number): Promise<void> {
    held.usedAt = now;
    await this.#update(held.key, (row) => ({ ...row, usedAt: now }));
  }

  /**
   * Keeps a copy, unless something has been forgotten that it would bring back, or a later one is there.
   *
   * @param id Unique.
   * @param asked The moment at which it was asked for.
   * @returns what had to go for it; `undefined` if it was not kept.
   */
  async keep(
    copy: Copy,
    body: StoredBody,
    size: number,
    id: string,
    asked: number,
    now: number,
  ): Promise<Usage | undefined> {
    const { partition, url, requestedAt, receivedAt } = copy;
    const around = placesAround(partition, url);
    const seen = this.#changed.moment;
    if (this.#forgotten.since(asked, around)) return undefined;
    const prefix = await this.#ready(partition, url, now);
    const others = await this.#readable(partition, await this.#store.range({ prefix }));
    const same = others.filter(({ copy: { varying } }) => isSame(varying, copy.varying));
    // Of two answers the later one stays; a time that is yet to come is a clock's that was wrong.
    if (same.some(({ terms }) => terms.receivedAt > receivedAt && terms.receivedAt <= now)) return undefined;
    const crowded = others.filter((each) => !same.includes(each)).sort((a, b) => b.usedAt - a.usedAt);
    const replaced = [...same, ...crowded.slice(VARIANTS - 1)];
    const key = prefix + id;
    const facts = { size, usedAt: receivedAt, requestedAt };
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
    const isAlone = !this.#changed.since(seen, around);
    this.#change({ what: 'stored', partition, url, at: receivedAt });
    if (isAlone) {
      const variants = [...others.filter((each) => !replaced.includes(each)), heldOf(key, copy, facts)];
      this.#hot.put(placeOf(partition, url), variants);
      if (body instanceof Uint8Array) this.#hot.putBody(placeOf(partition, url), key, body);
    }
    return this.#limits.within(key);
  }

  /** Writes what a confirmed copy says of itself now; its body stays. @param mayWrite It was asked for by the same user. */
  async freshen(held: Held, copy: Copy, asked: number, mayWrite: boolean): Promise<Held> {
    const { partition, url, requestedAt, receivedAt } = copy;
    const facts = { size: held.size, usedAt: receivedAt, requestedAt };
    const fresh = heldOf(held.key, copy, facts);
    if (!mayWrite || this.#forgotten.since(asked, placesAround(partition, url))) return fresh;
    const row = await rowOf(held.key, copy, facts, this.#codec);
    await this.#update(held.key, () => row);
    const body = this.nearBody(held);
    const others = this.#hot.held(placeOf(partition, url))?.filter(({ key }) => key !== held.key) ?? [];
    this.#change({ what: 'stored', partition, url, at: receivedAt });
    this.#hot.put(placeOf(partition, url), [...others, fresh]);
    if (body instanceof Uint8Array) this.#hot.putBody(placeOf(partition, url), held.key, body);
    return fresh;
  }

  /** A copy that is not what the origin would give. */
  async drop({ key, copy: { partition, url } }: Held, now: number): Promise<Usage> {
    this.#change({ what: 'changed', partition, url, at: now });
    return this.#limits.delete([key]);
  }

  /** Copies of a URL that may be wrong now: they need a word of the origin before they are fresh again. */
  async doubt(partition: string, url: string, now: number): Promise<void> {
    const items = await this.#store.range({ prefix: await storedPlaceOf(this.#codec, partition, url) });
    for (const { key } of items) await this.#update(key, (row) => ({ ...row, doubtful: true }));
    this.#change({ what: 'changed', partition, url, at: now });
  }

  /** Gives up a record that is not whole; what is not there at all has been replaced meanwhile. */
  async #discard(held: Held, now: number): Promise<void> {
    const { entries } = await this.drop(held, now);
    if (entries) this.#discarded();
  }

  /** Forgets all variants of a URL, of a partition, or everything. @returns how many copies there were. */
  async forget(partition: string | undefined, url: string | undefined, at: number): Promise<number> {
    this.#forgotten.mark(placeOf(partition, url));
    this.#change({ what: 'forgot', partition, url, at });
    if (url === undefined) await this.#cleared.mark(await this.#nameOf(partition), at);
    return this.#deleteAll(await storedPlaceOf(this.#codec, partition, url));
  }

  /** What another tab tells. */
  async heard({ what, partition, url, at }: Word): Promise<void> {
    this.#changed.mark(placeOf(partition, url));
    this.#hot.drop(partition, url);
    if (what !== 'forgot') return;
    this.#forgotten.mark(placeOf(partition, url));
    if (url === undefined) this.#cleared.heard(await this.#nameOf(partition), at);
    // What this tab has kept before it heard of it.
    await this.#deleteAll(await storedPlaceOf(this.#codec, partition, url), at);
  }

  /** Copies without their bodies, in the order of their keys. @param after The key of the last one before. */
  async list(partition: string | undefined, after: string, limit: number, now: number): Promise<Held[]> {
    await this.#open(now);
    const prefix = await storedPlaceOf(this.#codec, partition);
    const items = await this.#store.range({ prefix, after, limit });
    const held = await Promise.all(items.map((item) => readItem(item, this.#codec)));
    return held.filter((each) => each !== undefined);
  }

  async usage(partition: string | undefined, now: number): Promise<Usage> {
    await this.#open(now);
    if (partition === undefined) {
      await this.#limits.open();
      return this.#limits.total;
    }
    return sum(await this.#store.range({ prefix: await storedPlaceOf(this.#codec, partition) }));
  }

  /** @returns the place of a URL, as it is written. */
  async #ready(partition: string, url: string, now: number): Promise<string> {
    await this.#open(now);
    return storedPlaceOf(this.#codec, partition, url);
  }

  /** What of these can be used; the rest goes. */
  async #readable(
    partition: string,
    items: readonly (Item & { body?: StoredBody | undefined })[],
  ): Promise<Held[]> {
    const name = await this.#nameOf(partition);
    const found: Held[] = [];
    const gone: string[] = [];
    for (const item of items) {
      const held = await readItem(item, this.#codec);
      const isOurs = held && held.copy.partition === partition && !this.#cleared.covers(name, held.copy);
      if (held && isOurs) found.push({ ...held, stored: item.body });
      else gone.push(item.key);
    }
    if (gone.length) {
      await this.#limits.delete(gone);
      await this.#limits.recount();
      for (const _ of gone) this.#discarded();
    }
    return found;
  }

  /** Not remembered where it failed: the next use tries again. */
  #open(now: number): Promise<unknown> {
    this.#opening ??= Promise.all([this.#limits.open(), this.#cleared.open(now)]);
    this.#opening.catch(() => {
      this.#opening = undefined;
    });
    return this.#opening;
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

  #update(key: string, update: (row: Row) => Row): Promise<void> {
    return this.#limits.change([key], ([item]) => ({
      changes: item && isRow(item.value) ? [{ put: itemOf(key, update(item.value)) }] : [],
      result: undefined,
    }));
  }

  #change(word: Word): void {
    this.#changed.mark(placeOf(word.partition, word.url));
    this.#hot.drop(word.partition, word.url);
    this.#tell(word);
  }

  /** @param before Only what came before; wall time in ms. */
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

const isSame = (one: Copy['varying'], other: Copy['varying']): boolean =>
  JSON.stringify(one) === JSON.stringify(other);

/** Of the variants that answer a request, the latest (RFC 9111, 4). */
function chosen(variants: readonly Held[] | undefined, request: Request): Held | undefined {
  let best: Held | undefined;
  for (const held of variants ?? []) {
    if (!variesLike(held.copy.varying, request) || !isAllowed(held.copy, request)) continue;
    if (!best || isBetter(held, best)) best = held;
  }
  return best;
}

/** One that is told from others goes before one that was stored when nothing was said of variants (RFC 9111, 4.1). */
const isBetter = (one: Held, other: Held): boolean =>
  one.copy.varying.length > 0 === other.copy.varying.length > 0
    ? one.terms.date > other.terms.date
    : one.copy.varying.length > 0;

/** What the platform would refuse from the network it may not get from here. */
const isAllowed = ({ response: { redirected, type } }: Copy, { redirect, mode }: Request): boolean =>
  !(redirected && redirect !== undefined && redirect !== 'follow') &&
  !(type === 'cors' && mode === 'same-origin');
