import type { EventOf, HoldfastEvent } from '../../core/events.ts';
import { categoryOf, categoryOfStatus } from '../../core/outcome.ts';
import type { Category } from '../../primitives/failure.ts';

/**
 * - `expected`: everyday events: a success, the caller's abort, a request that the origin refuses (4xx).
 * - `unexpected`: the network, an origin or a limit failed; users may have noticed.
 * - `critical`: something is lost or will not mend itself: a dead letter, a store that fails, credentials that are gone, a mistake in the settings.
 */
export type Severity = 'expected' | 'unexpected' | 'critical';

const UNEXPECTED: ReadonlySet<Category> = new Set([
  'network',
  'timeout',
  'rate-limit',
  'server',
  'parse',
  'circuit-open',
  'capacity',
  'unknown',
]);

const OF_EVENTS: Readonly<Partial<Record<HoldfastEvent['type'], Severity>>> = {
  'dead-lettered': 'critical',
  'store-failed': 'critical',
  'update-required': 'critical',
  'storage-vanished': 'critical',
  'outbox-auth-required': 'unexpected',
  'headers-dropped': 'unexpected',
  'body-broken': 'unexpected',
  'fallback-failed': 'unexpected',
  'retry-abandoned': 'unexpected',
  timeout: 'unexpected',
  retry: 'unexpected',
  refused: 'unexpected',
  failover: 'unexpected',
  postponed: 'unexpected',
  'token-refresh-failed': 'unexpected',
  'sharing-failed': 'unexpected',
};

/**
 * How severe an event is.
 *
 * @example
 * const fetch = createFetch({
 *   onEvent(event) {
 *     if (severityOf(event) === 'unexpected') alarm(event);
 *   },
 * });
 */
export function severityOf(event: HoldfastEvent): Severity {
  if (event.type === 'call-ended') return ofCategory(categoryOfCall(event));
  if (event.type === 'circuit')
    return event.to === 'open' || event.to === 'isolated' ? 'unexpected' : 'expected';
  if (event.type === 'signed-out') return event.reason === 'refused' ? 'critical' : 'expected';
  return OF_EVENTS[event.type] ?? 'expected';
}

/** The kind of failure that ended a call, if one did. */
export function categoryOfCall({ error, status }: EventOf<'call-ended'>): Category | undefined {
  if (error !== undefined) return categoryOf(error);
  return status === undefined ? undefined : categoryOfStatus(status);
}

function ofCategory(category: Category | undefined): Severity {
  if (category === undefined) return 'expected';
  if (category === 'configuration' || category === 'storage') return 'critical';
  return UNEXPECTED.has(category) ? 'unexpected' : 'expected';
}
