import { BUILT_IN_POLICIES } from '../core/call-options.ts';
import { isNamed, type Policy } from '../core/contract.ts';
import type { OrUndefined } from '../core/normalize-request.ts';
import type { Auth } from '../policies/auth/auth.ts';
import type { Breaker } from '../policies/breaker/breaker.ts';
import type { PlainBreakerOptions } from '../policies/breaker/plain-options.ts';
import { plainBreaker } from '../policies/breaker/stage.ts';
import type { Bulkhead, CallBulkhead } from '../policies/bulkhead.ts';
import type { StaleCache } from '../policies/cache/cache.ts';
import type { CallStaleCache } from '../policies/cache/options.ts';
import type { CallFallback } from '../policies/fallback.ts';
import type { CallOutbox } from '../policies/outbox/options.ts';
import type { Outbox } from '../policies/outbox/outbox.ts';
import type { RateLimit } from '../policies/rate-limit.ts';
import type { RetryOption } from '../policies/retry/options.ts';
import { retry } from '../policies/retry/retry.ts';
import type { Strategies } from '../policies/strategies.ts';
import { attemptTimeout, type TimeoutOption, totalTimeout } from '../policies/timeout.ts';

/** The policies of the standard order. The first three are built in; the others cost nothing until they are imported. */
export interface StandardOptions {
  readonly timeout?: TimeoutOption | undefined;
  readonly retry?: RetryOption | undefined;
  /** Plain options; or `breaker({ … })`, which can do more and may be shared by clients. */
  readonly breaker?: PlainBreakerOptions | Breaker | false | undefined;
  /** `strategies({ … })` */
  readonly strategies?: Policy | undefined;
  /** `dedupe()` */
  readonly dedupe?: Policy | undefined;
  /** `fallback(response)` */
  readonly fallback?: Policy | undefined;
  readonly staleCache?: StaleCache | undefined;
  readonly outbox?: Outbox | undefined;
  /** `hedge()` */
  readonly hedge?: Policy | undefined;
  /** `failover({ origins })` */
  readonly failover?: Policy | undefined;
  /** `auth({ scheme, origins, … })` */
  readonly auth?: Auth | undefined;
  /** `telemetry({ origins })` */
  readonly telemetry?: Policy | undefined;
  readonly bulkhead?: Bulkhead | undefined;
  readonly rateLimit?: RateLimit | undefined;
}

/** These take plain options. */
export const PLAIN: readonly string[] = ['timeout', 'retry', 'breaker'];

/** The policies that are imported, by the name of their option. */
export const IMPORTED: readonly string[] = BUILT_IN_POLICIES.filter((name) => !PLAIN.includes(name));

/** Options of the pipeline itself. */
export const OF_PIPELINE: readonly string[] = [
  'name',
  'fetch',
  'host',
  'partition',
  'onEvent',
  'routes',
  'waitUntil',
];

/** The options of one call, a route, or `configure`. `false` switches a policy off. */
export interface FetchOptions {
  readonly timeout?: OrUndefined<TimeoutOption> | undefined;
  readonly retry?: OrUndefined<RetryOption> | undefined;
  readonly breaker?: boolean | undefined;
  readonly staleCache?: OrUndefined<CallStaleCache> | boolean | undefined;
  /** `true` or options: this write is kept until it is delivered. */
  readonly outbox?: OrUndefined<CallOutbox> | boolean | undefined;
  readonly strategies?: OrUndefined<Strategies> | boolean | undefined;
  readonly dedupe?: boolean | undefined;
  readonly fallback?: OrUndefined<CallFallback> | boolean | undefined;
  readonly hedge?: boolean | undefined;
  readonly failover?: boolean | undefined;
  readonly telemetry?: boolean | undefined;
  /** `false`: this call needs no credentials. */
  readonly auth?: boolean | undefined;
  readonly bulkhead?: OrUndefined<CallBulkhead> | boolean | undefined;
  readonly rateLimit?: boolean | undefined;
  /** Its name in events, logs, traces and metrics; best set on a route. */
  readonly operation?: string | undefined;
  /** Takes work that outlives this response; in workers `ctx.waitUntil`. */
  readonly waitUntil?: ((work: Promise<unknown>) => void) | undefined;
}

const isBreaker = (given: StandardOptions['breaker']): given is Breaker =>
  isNamed(given) && (given as Breaker).name === 'breaker';

/**
 * The standard order, outermost first. See `src/README.md` for the reasons.
 *
 * @returns an array; you can write another.
 *
 * @example
 * const fetch = pipeline(standard({ retry: { limit: 1 } }));
 */
export function standard(options: StandardOptions = {}): Policy[] {
  const { timeout, breaker } = options;
  // A call may switch on a policy that the pipeline has switched off, unless the policy has state.
  const made: Record<string, Policy | false | undefined> = {
    ...(options as Record<string, Policy | undefined>),
    timeout: totalTimeout(timeout),
    retry: retry(options.retry),
    breaker: breaker !== false && (isBreaker(breaker) ? breaker : plainBreaker(breaker)),
  };
  return [...BUILT_IN_POLICIES.map((name) => made[name]), attemptTimeout(timeout)].filter(
    (policy) => !!policy,
  );
}
