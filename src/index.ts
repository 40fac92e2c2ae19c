export { outbox, staleCache } from './client/default-stores.ts';
export { type CreateFetchOptions, createFetch } from './client/fetch.ts';
export { type Client, createClient } from './client/ky/client.ts';
export { QueuedError } from './client/ky/errors.ts';
export {
  HTTPError,
  isForceRetryError,
  isHTTPError,
  isKyError,
  isNetworkError,
  isTimeoutError,
  type KyInstance,
} from './client/ky/guards.ts';
export type { ClientOptions, CreateClientOptions } from './client/ky/options.ts';
export { type FetchOptions, type StandardOptions, standard } from './client/standard.ts';
export type {
  Call,
  CallOptions,
  Clock,
  Connectivity,
  Handler,
  Host,
  PipelineContext,
  Policy,
  SignedOut,
  SignOutOptions,
  Strategy,
  Wrapper,
} from './core/contract.ts';
export { definePolicy } from './core/define-policy.ts';
export {
  CapacityError,
  CircuitOpenError,
  ClosedError,
  NetworkError,
  StorageError,
  TimeoutError,
} from './core/errors.ts';
export type { HoldfastEvent, OutboxEvent } from './core/events.ts';
export type { HoldfastInit } from './core/normalize-request.ts';
export { categoryOf, isQueued, type Outcome, outcomeOf, type Source, sourceOf } from './core/outcome.ts';
export { type HoldfastFetch, type PipelineOptions, pipeline, type Route } from './core/pipeline.ts';
export type { Leaving, Run, Stage } from './core/stage.ts';
export type {
  AtomicStore,
  Change,
  Cipher,
  Item,
  ItemWithBody,
  RangeQuery,
  Store,
  StoredBody,
  Transaction,
} from './core/store.ts';
export type { Fetch } from './core/transport.ts';
export type { ProblemDetails } from './http/problem.ts';
export {
  type Batch,
  type BatchContext,
  type BatchOptions,
  type BatchOutcome,
  type BatchProgress,
  batch,
} from './observability/batch.ts';
export {
  type ConnectivityOptions,
  connectivity,
  type ProbedConnectivity,
  type Reachability,
} from './observability/connectivity.ts';
export { type EnvOptions, type OptionsFromEnvOptions, optionsFromEnv } from './observability/env.ts';
export { type ClientHealth, type ClientParts, clientHealth } from './observability/health/client.ts';
export {
  type CheckOptions,
  type Health,
  type HealthCheck,
  type HealthOptions,
  health,
  type WaitOptions,
  waitUntilHealthy,
} from './observability/health/health.ts';
export { type Monitor, type MonitorOptions, monitor } from './observability/health/monitor.ts';
export {
  type ConsoleLike,
  type ConsoleListenerOptions,
  consoleListener,
  type JsonLinesOptions,
  jsonLines,
  type Listener,
  listeners,
  sampled,
} from './observability/log/listeners.ts';
export { type Message, type MessageFacts, type Messages, userMessage } from './observability/log/messages.ts';
export { type LogRecord, recordOf } from './observability/log/record.ts';
export { redact } from './observability/log/redact.ts';
export { type Severity, severityOf } from './observability/log/severity.ts';
export { type Metrics, type MetricsSnapshot, metrics, type Rates } from './observability/metrics/metrics.ts';
export type { Alarm, MetricsOptions, Thresholds } from './observability/metrics/options.ts';
export type { SeriesSnapshot } from './observability/metrics/series.ts';
export type { TopError } from './observability/metrics/top-errors.ts';
export { type ProblemResponseOptions, problemOf, toProblemResponse } from './observability/problem.ts';
export { type Auth, auth } from './policies/auth/auth.ts';
export { type AuthCode, AuthError } from './policies/auth/error.ts';
export type {
  ApiKeyOptions,
  AuthEvent,
  AuthOptions,
  AuthorizeContext,
  AuthScheme,
  BasicOptions,
  BearerOptions,
  CustomOptions,
  Grant,
  GrantContext,
  OAuth2Options,
  SchemeOptions,
  Secret,
  SecretContext,
  SignIn,
  TokenResponse,
} from './policies/auth/options.ts';
export { type Breaker, breaker, type CircuitChange } from './policies/breaker/breaker.ts';
export type { CircuitState } from './policies/breaker/circuit.ts';
export type { CircuitInfo } from './policies/breaker/managed-circuits.ts';
export type { BreakerOptions } from './policies/breaker/options.ts';
export type { PlainBreakerOptions } from './policies/breaker/plain-options.ts';
export {
  betweenTabs,
  type Connection,
  type SharedState,
  type Sharing,
} from './policies/breaker/sharing.ts';
export { type Bulkhead, type BulkheadOptions, bulkhead, type CallBulkhead } from './policies/bulkhead.ts';
export type {
  CacheEntriesQuery,
  CacheEntry,
  CacheStats,
  Usage as CacheUsage,
  Warmed,
  WarmList,
  WarmOptions,
  WarmReport,
} from './policies/cache/admin.ts';
export { UserChangedError } from './policies/cache/background.ts';
export type { StaleCache } from './policies/cache/cache.ts';
export type { CacheMode, CallStaleCache, StaleCacheOptions } from './policies/cache/options.ts';
export { type DedupeOptions, dedupe } from './policies/dedupe.ts';
export { type FailoverOptions, failover } from './policies/failover.ts';
export {
  type CallFallback,
  type FallbackContext,
  type FallbackFunction,
  type FallbackOptions,
  type FallbackValue,
  fallback,
} from './policies/fallback.ts';
export { type HedgeOptions, hedge } from './policies/hedge.ts';
export type { OutboxNotification } from './policies/outbox/events.ts';
export type { ExportedEntry, LaneInfo, OutboxCounts } from './policies/outbox/manage.ts';
export type { CallOutbox, Conflict, Merge, OutboxOptions } from './policies/outbox/options.ts';
export type { Outbox } from './policies/outbox/outbox.ts';
export type { DeliveryGuarantee, OutboxEntry, Reason } from './policies/outbox/queue/entry.ts';
export type {
  EntriesQuery,
  FlushOptions,
  FlushProgress,
  LaneQuery,
  ReplayOptions,
} from './policies/outbox/queue/queries.ts';
export { ResultLostError, UndeliveredError } from './policies/outbox/results.ts';
export {
  type RateLimit,
  type RateLimitOptions,
  rateLimit,
} from './policies/rate-limit.ts';
export type { Jitter, RetryOption, RetryOptions, RetryState, WholeBody } from './policies/retry/options.ts';
export { retry } from './policies/retry/retry.ts';
export { wholeBody } from './policies/retry/whole.ts';
export { type Strategies, type StrategiesOptions, strategies } from './policies/strategies.ts';
export { type TelemetryOptions, telemetry } from './policies/telemetry.ts';
export { attemptTimeout, type TimeoutOption, type TimeoutOptions, totalTimeout } from './policies/timeout.ts';
export type { Attempt } from './primitives/failure.ts';
export {
  type Category,
  ConfigurationError,
  type Failure,
  HoldfastError,
  isFailure,
} from './primitives/failure.ts';
export type { Match } from './primitives/request.ts';
export type { Duration, Size } from './primitives/units.ts';
export { deviceKey, type EncryptionKey, encryptWith } from './stores/encryption.ts';
export { type IndexedDBStoreOptions, indexedDBStore } from './stores/indexeddb/indexeddb.ts';
export { memoryStore } from './stores/memory.ts';
