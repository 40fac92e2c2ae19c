import type { ResponseFacts } from '../../core/rebuild.ts';
import type { Item, Store, StoredBody } from '../../core/store.ts';
import type { Times } from '../../http/freshness.ts';
import { type Varying, variesLike } from '../../http/vary.ts';
import { Forgetting } from './forgetting.ts';
import type { CacheSettings } from './options.ts';

/** What is kept of a response besides its body. */
export interface Copy extends Times {
  readonly url: string;
  readonly response: ResponseFacts;
  readonly headers: readonly (readonly [string, string])[];
  readonly varying: Varying;
  /** Bytes of the body. */
  readonly size: number;
  /** Wall time in ms; written lazily. */
  readonly usedAt: number;
}

/** A use is noted at most this often: reading should not mean writing. */
const TOUCH_EVERY = 60_000;

const PREFIX = 'copy ';

/** Neither an encoded partition nor a URL has a space in it, so no two of them make one key. */
const keyOf = (partition: string, url: string, varying: Varying): string =>
  `${prefixOf(partition, url)}${JSON.stringify(varying)}`;

/** A fragment is the page's own business and never reaches the origin. */
const prefixOf = (partition: string, url: string): string =>
  `${prefixOfAll(partition)}${url.split('#', 1)[0]} `;

const prefixOfAll = (partition: string): string => `${PREFIX}${encodeURIComponent(partition)} `;

/** The copies in a store: found by partition, URL and varying headers; bounded in number and bytes. */
export class Shelf {
  readonly #store: Store;
  readonly #forgetting = new Forgetting();
  readonly #limits: Pick<CacheSettings, 'maxBytes' | 'maxEntries'>;
  /** Known after the first look; other tabs change it, so it is a hint when to look again. */
  #total: { entries: number; bytes: number } | undefined;

  constructor({ store, maxBytes, maxEntries }: CacheSettings) {
    this.#store = store;
    this.#limits = { maxBytes, maxEntries };
  }

  /** The copy that answers this request. */
  async find(partition: string, request: Request): Promise<Item<Copy> | undefined> {
    const variants = (await this.#store.range({ prefix: prefixOf(partition, request.url) })) as Item<Copy>[];
    return variants.find(({ value }) => variesLike(value.varying, request.headers));
  }

  body(item: Item<Copy>): Promise<StoredBody | undefined> {
    return this.#store.body(item.key);
  }

  /** Notes that a copy was used, now and then. */
  async touch(item: Item<Copy>, now: number): Promise<void> {
    if (Math.abs(now - item.value.usedAt) < TOUCH_EVERY) return;
    await this.#store.write([{ put: { ...item, value: { ...item.value, usedAt: now } } }]);
  }

  /** To be noted when an answer is asked for. */
  get moment(): number {
    return this.#forgetting.moment;
  }

  /**
   * Keeps a copy, if nothing has been forgotten that it would bring back.
   *
   * @param asked The moment at which it was asked for.
   * @returns what had to go for it; `undefined` if it was not kept.
   */
  async keep(
    partition: string,
    copy: Copy,
    body: StoredBody,
    asked: number,
  ): Promise<{ entries: number; bytes: number } | undefined> {
    const key = keyOf(partition, copy.url, copy.varying);
    const mine = [PREFIX, prefixOfAll(partition), prefixOf(partition, copy.url)];
    if (this.#forgetting.since(asked, mine)) return undefined;
    const before = (await this.#store.get(key)) as Item<Copy> | undefined;
    await this.#store.write([{ put: { key, value: copy }, body }]);
    if (this.#forgetting.since(asked, mine)) {
      await this.#store.write([{ delete: key }]);
      return undefined;
    }
    if (this.#total) {
      this.#total.entries += before ? 0 : 1;
      this.#total.bytes += copy.size - (before?.value.size ?? 0);
    }
    return this.#withinLimits();
  }

  /** Forgets all variants of a URL. */
  forget(partition: string, url: string): Promise<number> {
    return this.#deleteAll(prefixOf(partition, url));
  }

  /** Forgets a partition, or everything. */
  clear(partition?: string): Promise<number> {
    return this.#deleteAll(partition === undefined ? PREFIX : prefixOfAll(partition));
  }

  async #deleteAll(prefix: string): Promise<number> {
    this.#forgetting.mark(prefix);
    const items = await this.#store.range({ prefix });
    if (items.length) await this.#store.write(items.map(({ key }) => ({ delete: key })));
    this.#total = undefined;
    return items.length;
  }

  async #withinLimits(): Promise<{ entries: number; bytes: number }> {
    const { maxBytes, maxEntries } = this.#limits;
    if (this.#total && this.#total.entries <= maxEntries && this.#total.bytes <= maxBytes)
      return { entries: 0, bytes: 0 };
    const items = (await this.#store.range({ prefix: PREFIX })) as Item<Copy>[];
    const total = { entries: items.length, bytes: items.reduce((sum, { value }) => sum + value.size, 0) };
    const gone: Item<Copy>[] = [];
    for (const item of items.sort((a, b) => a.value.usedAt - b.value.usedAt)) {
      if (total.entries <= maxEntries && total.bytes <= maxBytes) break;
      gone.push(item);
      total.entries--;
      total.bytes -= item.value.size;
    }
    if (gone.length) await this.#store.write(gone.map(({ key }) => ({ delete: key })));
    this.#total = total;
    return { entries: gone.length, bytes: gone.reduce((sum, { value }) => sum + value.size, 0) };
  }
}
