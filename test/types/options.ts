/** Compiled, and never run: any option of a call may be `undefined`, also with `exactOptionalPropertyTypes`. */
import { breaker, createClient, createFetch, memoryStore, outbox, staleCache } from 'holdfast';

declare const maybe: undefined;

const api = createClient({
  partition: () => maybe,
  staleCache: staleCache(),
  outbox: outbox({ store: memoryStore() }),
});
const fetch = createFetch();

createFetch({ breaker: { failures: 3 } });
createFetch({ breaker: breaker({ probe: '/health' }) });
// @ts-expect-error: only of breaker()
createFetch({ breaker: { probe: '/health' } });

const policies = {
  timeout: { attempt: maybe, total: maybe, idle: maybe },
  retry: { limit: maybe, methods: maybe, delay: maybe, budget: maybe },
  staleCache: { mode: maybe, maxStale: maybe },
  outbox: { id: maybe, lane: maybe, meta: maybe },
  fallback: { methods: maybe, with: maybe },
  bulkhead: { priority: maybe },
  strategies: { network: maybe },
  operation: maybe,
  waitUntil: maybe,
} as const;
void api.get('x', {
  ...policies,
  signal: maybe,
  json: maybe,
  headers: maybe,
  searchParams: maybe,
  hooks: maybe,
});
void api.extend({ signal: maybe, retry: { limit: maybe } });
void fetch('x', { signal: maybe, body: maybe, headers: maybe, method: maybe, holdfast: policies });
