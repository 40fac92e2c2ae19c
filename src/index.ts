export { outbox, staleCache } from './client/default-stores.ts';
export { type CreateFetchOptions, createFetch } from './client/fetch.ts';
export { type Client, createClient } from './client/ky/client.ts';
export {
  HTTPError,
  isForceRetryError,
  isHTTPError,
  isKyError,
  isNetworkError,
  isTimeoutError,
  type KyInstance,
  QueuedError,
} from './client/ky/errors.ts';
export type { ClientOptions, CreateClientOptions } from './client/ky/options.ts';
export { type FetchOptions, type StandardOptions, standard } from './client/standard.ts';
export type { Call, Handler, PipelineContext, Policy, Wrapper } from './core/contract.ts';
export { definePolicy } from './core/define-policy.ts';
export {
  CapacityError,
  CircuitOpenError,
  ClosedError,
  NetworkError,
  StorageError,
  TimeoutError,
} from './core/errors.ts';
export type { HoldfastEvent } from './core/events.ts';
export type { HoldfastInit } from './core/normalize-request.ts';
export { categoryOf, isQueued, type Outcome, outcomeOf, type Source, sourceOf } from './core/outcome.ts';
export { type HoldfastFetch, type PipelineOptions, pipeline } from './core/pipeline.ts';
export type { Run, Stage } from './core/stage.ts';
export { type Auth, auth } from './policies/auth/auth.ts';
export { AuthError } from './policies/auth/error.ts';
export type { AuthOptions, SignIn, TokenResponse } from './policies/auth/options.ts';
export { type Breaker, type BreakerOptions, breaker } from './policies/breaker/breaker.ts';
export { betweenTabs, type Sharing } from './policies/breaker/sharing.ts';
export { type Bulkhead, type BulkheadOptions, bulkhead } from './policies/bulkhead.ts';
export type { CacheEntry } from './policies/cache/admin.ts';
export { UserChangedError } from './policies/cache/background.ts';
export type { StaleCache } from './policies/cache/cache.ts';
export type { StaleCacheOptions } from './policies/cache/options.ts';
export { type DedupeOptions, dedupe } from './policies/dedupe.ts';
export { type FailoverOptions, failover } from './policies/failover.ts';
export { type FallbackOptions, fallback } from './policies/fallback.ts';
export { type HedgeOptions, hedge } from './policies/hedge.ts';
export type { OutboxNotification } from './policies/outbox/events.ts';
export type { OutboxCounts } from './policies/outbox/manage.ts';
export type { OutboxOptions } from './policies/outbox/options.ts';
export type { Outbox } from './policies/outbox/outbox.ts';
export type { OutboxEntry } from './policies/outbox/queue/entry.ts';
export { ResultLostError, UndeliveredError } from './policies/outbox/results.ts';
export { type RateLimit, type RateLimitOptions, rateLimit } from './policies/rate-limit.ts';
export type { RetryOptions } from './policies/retry/options.ts';
export { retry } from './policies/retry/retry.ts';
export { wholeBody } from './policies/retry/whole.ts';
export { type StrategiesOptions, strategies } from './policies/strategies.ts';
export { type TelemetryOptions, telemetry } from './policies/telemetry.ts';
export { attemptTimeout, type TimeoutOptions, totalTimeout } from './policies/timeout.ts';
export {
  type Category,
  ConfigurationError,
  type Failure,
  HoldfastError,
  isFailure,
} from './primitives/failure.ts';
export type { Duration } from './primitives/units.ts';
export { type IndexedDBStoreOptions, indexedDBStore } from './stores/indexeddb/indexeddb.ts';
export { memoryStore } from './stores/memory.ts';
