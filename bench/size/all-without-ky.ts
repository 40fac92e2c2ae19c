export {
  breaker,
  bulkhead,
  createFetch,
  dedupe,
  failover,
  fallback,
  hedge,
  outbox,
  rateLimit,
  staleCache,
  strategies,
} from 'holdfast';
