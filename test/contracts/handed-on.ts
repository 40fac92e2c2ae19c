import {
  auth,
  bulkhead,
  createFetch,
  dedupe,
  failover,
  fallback,
  hedge,
  memoryStore,
  outbox,
  rateLimit,
  staleCache,
  strategies,
  telemetry,
  wholeBody,
} from '../../src/index.ts';

/**
 * The law "handed on unread": a platform may read the response of each policy by itself. The slot
 * is released, and the response is stored. `test/faults/handed-on` holds it on the real servers,
 * service workers and Cache APIs.
 *
 * @returns one fetch for each policy, and one with all of them. Two calls at a time fill a
 * bulkhead.
 */
export function subjects(upstream: string) {
  const cache = staleCache({ store: memoryStore() });
  const everyCache = staleCache({ store: memoryStore() });
  const slots = bulkhead({ limit: 2, maxWait: '200ms' });
  const everySlot = bulkhead({ limit: 2, maxWait: '200ms' });
  const origins = [upstream];
  const replicas = failover({ origins: [upstream, 'http://replica.invalid'] });
  const token = auth({ scheme: 'bearer', origins, token: 'secret' });
  const name = (of: string) => ({ name: of, breaker: false as const });
  const fetches = {
    'nothing more': createFetch(name('plain')),
    bulkhead: createFetch({ ...name('bulkhead'), bulkhead: slots }),
    staleCache: createFetch({ ...name('staleCache'), staleCache: cache, partition: 'user' }),
    dedupe: createFetch({ ...name('dedupe'), dedupe: dedupe(), partition: 'user' }),
    hedge: createFetch({ ...name('hedge'), hedge: hedge() }),
    fallback: createFetch({ ...name('fallback'), fallback: fallback(() => undefined) }),
    failover: createFetch({ ...name('failover'), failover: replicas }),
    rateLimit: createFetch({ ...name('rateLimit'), rateLimit: rateLimit({ rate: 1_000 }) }),
    telemetry: createFetch({ ...name('telemetry'), telemetry: telemetry({ origins }) }),
    auth: createFetch({ ...name('auth'), auth: token }),
    strategies: createFetch({ ...name('strategies'), strategies: strategies({ timeout: 'retry' }) }),
    outbox: createFetch({ ...name('outbox'), outbox: outbox({ store: memoryStore() }), partition: 'user' }),
    'whole bodies': createFetch({ ...name('whole'), retry: { until: wholeBody } }),
    everything: createFetch({
      name: 'everything',
      partition: 'user',
      staleCache: everyCache,
      dedupe: dedupe(),
      hedge: hedge(),
      failover: replicas,
      telemetry: telemetry({ origins }),
      bulkhead: everySlot,
      rateLimit: rateLimit({ rate: 1_000 }),
    }),
  };
  return {
    fetches,
    /** The slots in use, and the stored responses. */
    state: async () => ({
      slots: [slots, everySlot]
        .flatMap((each) => Object.values(each.states()))
        .map(({ inFlight }) => inFlight),
      stored: { staleCache: await urls(cache), everything: await urls(everyCache) },
    }),
  };
}

export const SUBJECTS: readonly Subject[] = [
  'nothing more',
  'bulkhead',
  'staleCache',
  'dedupe',
  'hedge',
  'fallback',
  'failover',
  'rateLimit',
  'telemetry',
  'auth',
  'strategies',
  'outbox',
  'whole bodies',
  'everything',
];

export type Subject = keyof ReturnType<typeof subjects>['fetches'];

const urls = async (cache: ReturnType<typeof staleCache>): Promise<string[]> =>
  (await cache.entries()).map(({ url }) => new URL(url).pathname);
