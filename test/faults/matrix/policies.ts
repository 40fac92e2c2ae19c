import { type CreateFetchOptions, createFetch } from '../../../src/client/fetch.ts';
import type { FetchOptions } from '../../../src/client/standard.ts';
import { systemHost } from '../../../src/core/host.ts';
import type { HoldfastEvent, HoldfastFetch } from '../../../src/index.ts';
import { bulkhead } from '../../../src/policies/bulkhead.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { dedupe } from '../../../src/policies/dedupe.ts';
import { failover } from '../../../src/policies/failover.ts';
import { fallback } from '../../../src/policies/fallback.ts';
import { hedge } from '../../../src/policies/hedge.ts';
import { type Outbox, outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { rateLimit } from '../../../src/policies/rate-limit.ts';
import { wholeBody } from '../../../src/policies/retry/whole.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import type { Limits } from './faults.ts';

export interface Setting {
  readonly origin: string;
  readonly other: string;
  readonly limits: Limits;
}

/** The policies beyond time limits, retry and breaker; `words` name them in the document. */
interface PolicySet {
  readonly words: string;
  readonly options: (setting: Setting) => Partial<CreateFetchOptions>;
}

/** Retries come at once: the matrix counts them, and does not measure the backoff. */
const retry = { delay: () => 1 };

const staleCache = () => cachePolicy({ store: memoryStore() }, memoryStore);
// Long: on a busy machine a queued response would be another outcome.
const outbox = () => outboxPolicy({ store: memoryStore(), respondAfter: '10s' }, memoryStore);

export const policySets = {
  native: { words: 'all off', options: () => ({ timeout: false, retry: false, breaker: false }) },
  defaults: { words: 'defaults', options: () => ({}) },
  thorough: {
    words: '`retry: { until: wholeBody, retryOnTimeout: true }`',
    options: () => ({ retry: { ...retry, until: wholeBody, retryOnTimeout: true } }),
  },
  refusing: {
    words: '`breaker: { failures: 1, maxWait: 0 }`',
    options: () => ({ breaker: { failures: 1, maxWait: 0 } }),
  },
  waiting: {
    words: "`breaker: { failures: 1, openFor: '200ms' }`",
    options: () => ({ breaker: { failures: 1, openFor: 200, maxOpenFor: 200 } }),
  },
  staleCache: {
    words: '`staleCache`, with a cached response',
    options: () => ({ staleCache: staleCache() }),
  },
  outbox: { words: '`outbox`', options: () => ({ outbox: outbox() }) },
  fallback: { words: '`fallback`', options: () => ({ fallback: fallback({ ok: 'so-so' }) }) },
  hedge: {
    words: '`hedge`',
    options: ({ limits: { hedgeAfter: delay } }) => ({ hedge: hedge({ delay }) }),
  },
  failover: {
    words: '`failover` to an origin that is well',
    options: ({ origin, other }) => ({ failover: failover({ origins: [origin, other] }) }),
  },
  limits: {
    words: '`bulkhead` and `rateLimit`',
    options: () => ({ bulkhead: bulkhead(), rateLimit: rateLimit() }),
  },
  everything: {
    words: 'every policy, and `retry` as above',
    options: ({ origin, other, limits: { hedgeAfter: delay } }) => ({
      retry: { ...retry, until: wholeBody, retryOnTimeout: true },
      dedupe: dedupe(),
      fallback: fallback({ ok: 'so-so' }),
      outbox: outbox(),
      staleCache: staleCache(),
      hedge: hedge({ delay, origins: [origin, other] }),
      failover: failover({ origins: [origin, other] }),
      bulkhead: bulkhead(),
      rateLimit: rateLimit(),
    }),
  },
} satisfies Record<string, PolicySet>;

export type PolicySetName = keyof typeof policySets;

export interface Client {
  readonly fetch: HoldfastFetch<FetchOptions>;
  readonly outbox: Outbox | undefined;
  readonly hasCache: boolean;
  /** Gives this response to the calls made during the work, as if the origin had. */
  answering(response: Response, meanwhile: () => Promise<void>): Promise<void>;
  /** Settles at the next event of this type. */
  emitted(type: HoldfastEvent['type']): Promise<void>;
}

/**
 * A client of its own for each case, so that none shares a circuit, a budget or a cached response
 * with another.
 */
export function clientOf(name: PolicySetName, setting: Setting): Client {
  const { attempt, idle } = setting.limits;
  const listeners = new Map<string, () => void>();
  let substitute: Response | undefined;
  const options: CreateFetchOptions = {
    timeout: { attempt, idle },
    retry,
    // By chance an outbox would send again at once, and the count would be one higher. Keys use
    // chance too.
    host: { ...systemHost, random: () => 0.9 + Math.random() / 10 },
    name: crypto.randomUUID(),
    partition: 'somebody',
    onEvent: ({ type }) => listeners.get(type)?.(),
    ...policySets[name].options(setting),
  };
  if (options.staleCache) {
    const fetch = (request: Request, init: RequestInit): Promise<Response> =>
      substitute ? Promise.resolve(substitute) : globalThis.fetch(request, init);
    Object.assign(options, { fetch });
  }
  return {
    fetch: createFetch(options),
    outbox: options.outbox,
    hasCache: options.staleCache !== undefined,
    async answering(response, meanwhile) {
      substitute = response;
      await meanwhile();
      substitute = undefined;
    },
    emitted: (type) => new Promise((resolve) => listeners.set(type, resolve)),
  };
}
