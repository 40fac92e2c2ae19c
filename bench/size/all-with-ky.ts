export {
  breaker,
  bulkhead,
  createClient,
  dedupe,
  failover,
  fallback,
  hedge,
  outbox,
  rateLimit,
  staleCache,
  strategies,
} from 'holdfast';
