import type { Host } from '../../core/contract.ts';
import { hostRule, systemHost } from '../../core/host.ts';
import type { Breaker } from '../../policies/breaker/breaker.ts';
import type { CircuitInfo } from '../../policies/breaker/managed-circuits.ts';
import type { CacheStats, Usage } from '../../policies/cache/admin.ts';
import type { StaleCache } from '../../policies/cache/cache.ts';
import type { OutboxCounts } from '../../policies/outbox/manage.ts';
import type { Outbox } from '../../policies/outbox/outbox.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { ConfigurationError, isFailure } from '../../primitives/failure.ts';
import { isOrigin } from '../../primitives/request.ts';
import { readSettings, rule, withMethods } from '../../primitives/validate.ts';
import type { ProbedConnectivity, Reachability } from '../connectivity.ts';
import type { Health } from './health.ts';
import type { Monitor } from './monitor.ts';

/** The parts of a client: the values that it was made with. */
export interface ClientParts {
  readonly breaker?: Pick<Breaker, 'states'>;
  readonly outbox?: Pick<Outbox, 'counts' | 'entries'>;
  readonly staleCache?: Pick<StaleCache, 'usage' | 'stats'>;
  readonly connectivity?: Pick<ProbedConnectivity, 'reachability'>;
  readonly monitor?: Pick<Monitor, 'states'>;
  /** Clock and connectivity, for tests. */
  readonly host?: Partial<Host>;
}

/** A part that failed, with the code of its error. */
export interface Unknown {
  readonly error: string;
}

/** For a status page or a badge. */
export interface ClientHealth {
  /**
   * - `down`: there is no way out, or every circuit is open.
   * - `degraded`: a circuit is not closed, a watched URL is unhealthy, writes are dead or held back, the storage is nearly
   *   full, or a part cannot tell.
   */
  readonly status: 'ok' | 'degraded' | 'down';
  /** Wall time in ms. */
  readonly at: number;
  readonly reachability: Reachability;
  readonly circuits: readonly ({ readonly origin: string } & CircuitInfo)[];
  /** `oldest`: when the oldest waiting entry was accepted, wall time in ms. */
  readonly outbox?: (OutboxCounts & { readonly oldest?: number }) | Unknown;
  readonly staleCache?: (Usage & CacheStats) | Unknown;
  /** Bytes of the whole site, where the platform tells. */
  readonly quota?: { readonly usage: number; readonly quota: number };
  readonly watched: readonly Health[];
}

/** The share of a quota from which on it is nearly full. */
const NEARLY = 0.9;

/** How long one part may take, in ms: a store may hang. */
const TIMEOUT = 5_000;

/**
 * The health of a whole client as one object. Sends no request; a part that fails, or takes more than 5 s, says so and
 * hides no other.
 *
 * @example
 * const parts = { breaker: breaker(), outbox: outbox(), staleCache: staleCache() };
 * const fetch = createFetch({ partition: 'public', ...parts });
 * const { status } = await clientHealth(parts);
 */
export async function clientHealth(parts: ClientParts): Promise<ClientHealth> {
  const { breaker, outbox, staleCache, connectivity, monitor, host } = readSettings(
    'clientHealth',
    {
      breaker: [undefined, withMethods<Pick<Breaker, 'states'>>('a breaker', 'states')],
      outbox: [undefined, withMethods<Pick<Outbox, 'counts' | 'entries'>>('an outbox', 'counts', 'entries')],
      staleCache: [
        undefined,
        withMethods<Pick<StaleCache, 'usage' | 'stats'>>('a stale cache', 'usage', 'stats'),
      ],
      connectivity: [
        undefined,
        rule<ClientParts['connectivity']>(
          'what connectivity() makes',
          (value) => typeof value?.reachability === 'string',
        ),
      ],
      monitor: [undefined, withMethods<Pick<Monitor, 'states'>>('a monitor', 'states')],
      host: [systemHost, hostRule],
    },
    parts,
  );
  const circuits = Object.entries(breaker?.states() ?? {}).map(([origin, info]) => ({ origin, ...info }));
  const [queue, cache, quota] = await Promise.all([
    outbox && settled(host, () => queueOf(outbox)),
    staleCache && settled(host, async () => ({ ...(await staleCache.usage()), ...staleCache.stats() })),
    withDeadline(TIMEOUT, { host }, quotaOf()).catch(() => undefined),
  ]);
  const reachability = connectivity?.reachability ?? (host.connectivity.state ? 'online' : 'offline');
  const watched = monitor?.states() ?? [];
  const whole = {
    at: host.clock.now(),
    reachability,
    circuits,
    ...(queue && { outbox: queue }),
    ...(cache && { staleCache: cache }),
    ...(quota && { quota }),
    watched,
  };
  return { status: statusOf(whole), ...whole };
}

function statusOf({
  reachability,
  circuits,
  outbox,
  staleCache,
  quota,
  watched,
}: Omit<ClientHealth, 'status'>): ClientHealth['status'] {
  const origins = circuits.filter(({ origin }) => isOrigin(origin));
  const areOpen = origins.every(({ state }) => state === 'open' || state === 'isolated');
  if (reachability !== 'online' || (origins.length > 0 && areOpen)) return 'down';
  const isDegraded =
    circuits.some(({ state }) => state !== 'closed') ||
    watched.some(({ healthy }) => !healthy) ||
    (outbox !== undefined && ('error' in outbox || outbox.deadLetters > 0 || outbox.paused !== undefined)) ||
    (staleCache !== undefined && 'error' in staleCache) ||
    (quota !== undefined && quota.usage > NEARLY * quota.quota);
  return isDegraded ? 'degraded' : 'ok';
}

async function queueOf(
  outbox: Pick<Outbox, 'counts' | 'entries'>,
): Promise<OutboxCounts & { oldest?: number }> {
  const [counts, [first]] = await Promise.all([outbox.counts(), outbox.entries({ limit: 1 })]);
  return { ...counts, ...(first && { oldest: first.acceptedAt }) };
}

async function settled<T>(host: Host, work: () => Promise<T>): Promise<T | Unknown> {
  try {
    return await withDeadline(TIMEOUT, { host }, work());
  } catch (error) {
    // A wrong configuration is no state of health.
    if (error instanceof ConfigurationError) throw error;
    if (error instanceof DeadlineError) return { error: 'timeout' };
    return { error: isFailure(error) ? error.code : 'unknown' };
  }
}

async function quotaOf(): Promise<ClientHealth['quota']> {
  try {
    const estimate = (await globalThis.navigator?.storage?.estimate?.()) ?? {};
    const { usage, quota } = estimate;
    return usage === undefined || quota === undefined ? undefined : { usage, quota };
  } catch {
    return undefined;
  }
}
