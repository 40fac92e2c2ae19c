export {
  type BetweenIsolatesOptions,
  betweenIsolates,
  type CoordinatorNamespace,
} from './adapters/cloudflare/between-isolates.ts';
export { type CoordinatorObject, coordinatorObject } from './adapters/cloudflare/coordinator-object.ts';
export {
  type AcceptedWrite,
  type OutboxObject,
  type OutboxObjectOptions,
  type OutboxObjectState,
  outboxObject,
} from './adapters/cloudflare/outbox-object.ts';
export type {
  DeadLetters,
  QueueBatch,
  QueuedWrite,
  QueueMessage,
  QueueProducer,
} from './adapters/cloudflare/queue/message.ts';
export type { OutboxQueueOptions } from './adapters/cloudflare/queue/options.ts';
export { type OutboxQueue, outboxQueue } from './adapters/cloudflare/queue/outbox-queue.ts';
export {
  type DurableObjectStoreOptions,
  durableObjectStore,
  type Sql,
  type SqlDurableObjectStorage,
} from './stores/sql/durable-object.ts';
export { type WebCache, type WebCacheStoreOptions, webCacheStore } from './stores/web-cache.ts';
export {
  type WorkersKV,
  type WorkersKVPage,
  type WorkersKVStoreOptions,
  workersKVStore,
} from './stores/workers-kv.ts';
