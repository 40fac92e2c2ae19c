import { cachePolicy, type StaleCache } from '../policies/cache/cache.ts';
import type { StaleCacheOptions } from '../policies/cache/options.ts';
import type { OutboxOptions } from '../policies/outbox/options.ts';
import { type Outbox, outboxPolicy } from '../policies/outbox/outbox.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import { indexedDBStore } from '../stores/indexeddb/indexeddb.ts';
import { memoryStore } from '../stores/memory.ts';

const hasIndexedDB = (): boolean => typeof globalThis.indexedDB === 'object';

/**
 * Serves the last good response when the origin does not respond.
 *
 * @param options `store`: default IndexedDB, or memory in a runtime without it.
 *
 * @example
 * const fetch = createFetch({ partition: () => session.user?.id, staleCache: staleCache() });
 * const response = await fetch(url); // the last good one, if the origin cannot respond
 */
export const staleCache = (options: StaleCacheOptions = {}): StaleCache =>
  cachePolicy(options, () => (hasIndexedDB() ? indexedDBStore({ name: 'holdfast-cache' }) : memoryStore()));

/**
 * Keeps writes until they are delivered.
 *
 * @typeParam Meta The application's data of an entry, as `entries()`, hooks and `subscribe` return it.
 * @param options `store`: default IndexedDB.
 * @throws {ConfigurationError} without IndexedDB and a named store: an accepted write must not be lost.
 *
 * @example
 * const queue = outbox();
 * const fetch = createFetch({ partition: () => session.user?.id, outbox: queue });
 * await fetch('/api/orders', { method: 'POST', body: JSON.stringify(order), holdfast: { outbox: true } });
 */
export const outbox = <Meta = unknown>(options: OutboxOptions<Meta> = {}): Outbox<Meta> =>
  outboxPolicy(options as OutboxOptions, () => {
    if (hasIndexedDB()) return indexedDBStore({ name: 'holdfast-outbox' });
    throw new ConfigurationError(
      'outbox.store',
      undefined,
      'there is no IndexedDB here; name a durable store, or memoryStore() if it may be lost with the process',
    );
  }) as Outbox<Meta>;
