import type { CreateClientOptions } from '../../src/client/ky/options.ts';

/** The options with which a client comes closest to ky, as `docs/ky.md` prints them. */
export const AS_KY: CreateClientOptions = {
  timeout: 10_000,
  totalTimeout: false,
  breaker: false,
  retry: {
    jitter: 'none',
    until: 'headers',
    budget: false,
    retryOnTimeout: false,
    backoffLimit: Infinity,
    maxRetryAfter: Infinity,
    statusCodes: [408, 413, 429, 500, 502, 503, 504],
    afterStatusCodes: [413, 429, 503],
  },
};
