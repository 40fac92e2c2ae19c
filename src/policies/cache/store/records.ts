import { StorageError } from '../../../core/errors.ts';
import {
  type Cipher,
  changeOf,
  type Item,
  type ItemWithBody,
  type Store,
  type StoredBody,
} from '../../../core/store.ts';
import type { Bytes } from '../../../primitives/units.ts';
import type { CacheSettings } from '../options.ts';
import {
  bodySize,
  type CachedResponse,
  type CacheRecord,
  isCacheRecord,
  isEncrypted,
  isStoredResponse,
  KEY_PREFIX,
  keyPrefix,
  SCHEMA,
  type StoredResponse,
  toCachedResponse,
} from './entry.ts';
import { itemOf, Quota, sum, type Usage } from './quota.ts';

/** How many records are deleted at a time. */
const PAGE = 500;

/** Cached responses as the records of a store: counted, and encrypted if the application wants it. */
export class CacheRecords {
  readonly quota: Quota;
  readonly #store: Store;
  readonly #cipher: Cipher | undefined;

  /** @param onEvict Called with the keys that were evicted. */
  constructor(
    { store, encryption, maxBytes, maxEntries }: CacheSettings,
    onEvict: (keys: readonly string[]) => void,
  ) {
    this.#store = store;
    this.#cipher = encryption;
    const most = { entries: maxEntries, bytes: maxBytes };
    this.quota = new Quota(store, { most, encrypted: encryption !== undefined, onEvict });
  }

  /** The key prefix as it is stored: encrypted records have hashed keys. */
  async prefix(partition?: string, url?: string): Promise<string> {
    if (!this.#cipher || partition === undefined) return keyPrefix(partition, url);
    const whole = `${KEY_PREFIX}${await this.#cipher.hashKey(partition)} `;
    // Hashed with the partition, so that the same page of two users is not recognised as the same.
    return url === undefined ? whole : `${whole}${await this.#cipher.hashKey(keyPrefix(partition, url))} `;
  }

  /**
   * The variants of a URL. Records that cannot be read or used are deleted.
   *
   * @param unreadable Called for each that cannot be read.
   */
  async variants(
    partition: string,
    url: string,
    options: {
      readonly withBodies?: boolean;
      readonly isUsable: (stored: StoredResponse) => boolean;
      readonly unreadable: () => void;
    },
  ): Promise<CachedResponse[]> {
    const prefix = await this.prefix(partition, url);
    const items: readonly (Item & Partial<ItemWithBody>)[] = options.withBodies
      ? await this.#store.rangeWithBodies({ prefix })
      : await this.#store.range({ prefix });
    const found: CachedResponse[] = [];
    const gone: string[] = [];
    for (const item of items) {
      const cached = await this.#read(item);
      if (cached?.response.partition === partition && options.isUsable(cached.response))
        found.push({ ...cached, body: await this.#readBody(cached, item.body) });
      else gone.push(item.key);
      if (!cached) options.unreadable();
    }
    if (gone.length) await this.quota.delete(gone);
    // Their sizes are unknown.
    if (items.some(({ value }) => !isCacheRecord(value))) await this.quota.recount();
    return found;
  }

  /** Records without their bodies, in the order of their keys. @param after The last key of the page before. */
  async list(partition: string | undefined, after: string, limit: number): Promise<CachedResponse[]> {
    const prefix = await this.prefix(partition);
    const found: CachedResponse[] = [];
    for (let from: string | undefined = after; from !== undefined && found.length < limit; ) {
      const items = await this.#store.range({ prefix, after: from, limit: limit - found.length });
      const cached = await Promise.all(items.map((item) => this.#read(item)));
      // Records that cannot be read are skipped.
      found.push(...cached.filter((each) => each !== undefined));
      from = items.at(-1)?.key;
    }
    return found;
  }

  async usage(partition: string | undefined): Promise<Usage> {
    if (partition === undefined) return this.quota.read();
    return sum(await this.#store.range({ prefix: await this.prefix(partition) }));
  }

  /** @returns `undefined` if it is gone, incomplete, or cannot be decrypted. */
  async body(cached: CachedResponse): Promise<StoredBody | undefined> {
    return this.#readBody(cached, await this.#store.body(cached.key));
  }

  /** @param replaced The keys of records that are deleted. */
  async put(cached: CachedResponse, body: StoredBody, replaced: readonly string[]): Promise<void> {
    const put = itemOf(cached.key, await this.#encode(cached));
    await this.quota.replace(replaced, [{ put, body: await this.#encodeBody(cached.key, body) }]);
  }

  /** Replaces the record of a response and keeps its body. @returns whether there was a record. */
  async replace(cached: CachedResponse): Promise<boolean> {
    return this.update(cached.key, await this.#encode(cached));
  }

  /** @returns whether the record was there. */
  update(key: string, change: Partial<CacheRecord>): Promise<boolean> {
    return changeOf(this.#store, [key], ([item]) => {
      const row = item && isCacheRecord(item.value) ? item.value : undefined;
      return {
        changes: row ? [{ put: itemOf(key, { ...row, ...change }) }] : [],
        result: row !== undefined,
      };
    });
  }

  /** Updates all variants of a URL. @returns how many there are. */
  async updateAll(partition: string, url: string, change: Partial<CacheRecord>): Promise<number> {
    const items = await this.#store.range({ prefix: await this.prefix(partition, url) });
    for (const { key } of items) await this.update(key, change);
    return items.length;
  }

  /** @param before Only responses requested before; wall time in ms. @returns how many there were. */
  async deleteAll(partition?: string, url?: string, before = Infinity): Promise<number> {
    const prefix = await this.prefix(partition, url);
    let gone = 0;
    for (let after: string | undefined = ''; after !== undefined; ) {
      const items = await this.#store.range({ prefix, after, limit: PAGE });
      const old = items.filter(({ value }) => !isCacheRecord(value) || value.requestedAt < before);
      if (old.length) gone += (await this.quota.delete(old.map(({ key }) => key))).entries;
      after = items.length < PAGE ? undefined : items.at(-1)?.key;
    }
    return gone;
  }

  /** @returns `undefined` for a record of another version, an incomplete one, or one that cannot be decrypted. */
  async #read({ key, value }: Item): Promise<CachedResponse | undefined> {
    const cipher = this.#cipher;
    if (!isCacheRecord(value) || isEncrypted(value) !== (cipher !== undefined)) return undefined;
    const { response } = value;
    try {
      const read: unknown = cipher
        ? JSON.parse(new TextDecoder().decode(await cipher.decrypt(response as Bytes, key)))
        : response;
      return isStoredResponse(read) ? toCachedResponse(key, read, value) : undefined;
    } catch (error) {
      return unreadable(error);
    }
  }

  async #encode(cached: CachedResponse): Promise<CacheRecord> {
    const { key, response: stored, size, usedAt, unconfirmed, invalidated } = cached;
    const plain = (): Bytes => new TextEncoder().encode(JSON.stringify(stored)) as Bytes;
    const response = this.#cipher ? await this.#cipher.encrypt(plain(), key) : stored;
    const { requestedAt } = stored;
    return { schema: SCHEMA, size, usedAt, requestedAt, unconfirmed, invalidated, response };
  }

  async #readBody(
    { key, size }: CachedResponse,
    stored: StoredBody | undefined,
  ): Promise<StoredBody | undefined> {
    try {
      const body =
        this.#cipher && stored ? await this.#cipher.decrypt(stored as Bytes, bodyContext(key)) : stored;
      return body !== undefined && bodySize(body) === size ? body : undefined;
    } catch (error) {
      return unreadable(error);
    }
  }

  async #encodeBody(key: string, body: StoredBody): Promise<StoredBody> {
    if (!this.#cipher) return body;
    const plain = body instanceof Uint8Array ? body : new Uint8Array(await new Response(body).arrayBuffer());
    return this.#cipher.encrypt(plain, bodyContext(key));
  }
}

/** @throws {StorageError} if the key is unavailable, which says nothing about the record. */
function unreadable(error: unknown): undefined {
  if (error instanceof StorageError) throw error;
  return undefined;
}

const bodyContext = (key: string): string => `${key} body`;
