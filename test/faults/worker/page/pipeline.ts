import {
  betweenTabs,
  breaker,
  createFetch,
  type FetchOptions,
  type HoldfastFetch,
  type Outbox,
  outbox,
  type StaleCache,
  staleCache,
} from '../../../../src/index.ts';
import { type SharedSession, sharedSession } from '../../../../src/service-worker.ts';

export interface Pipeline {
  readonly fetch: HoldfastFetch<FetchOptions>;
  readonly queue: Outbox;
  readonly cache: StaleCache;
  readonly session: SharedSession;
}

/** The same in pages and in the worker. */
export function pipeline(): Pipeline {
  const session = sharedSession();
  const cache = staleCache();
  const queue = outbox({
    backgroundSync: true,
    backoffLimit: '200ms',
    maxEntries: 10_000,
    // The origin's ledger tells lanes apart by it.
    persistHeaders: ['x-lane'],
  });
  const fetch = createFetch({
    partition: session.partition,
    outbox: queue,
    staleCache: cache,
    breaker: breaker({ share: betweenTabs(), openFor: '200ms', maxOpenFor: '500ms' }),
    retry: false,
    timeout: { attempt: '20s' },
  });
  return { fetch, queue, cache, session };
}
