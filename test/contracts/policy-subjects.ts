import { standard } from '../../src/client/standard.ts';
import type { Policy } from '../../src/core/contract.ts';
import { auth } from '../../src/policies/auth/auth.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { failover } from '../../src/policies/failover.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { wholeBody } from '../../src/policies/retry/whole.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { frozen, ONE, TWO } from './policy-laws.ts';

/** The subject of a law: policies, new ones with each use. */
export type Subject = readonly [name: string, make: () => Policy[]];

/** Writes to this URL are queued in an outbox, if there is one. */
export const WRITES = `${ONE}/writes`;

const never = (): Promise<never> => new Promise(() => {});

/** One of each kind, in options that give it something to do. */
const kinds: Record<string, () => Policy> = {
  totalTimeout: () => totalTimeout(frozen({ total: '20s', attempt: '3s' })),
  attemptTimeout: () => attemptTimeout(frozen({ attempt: '3s', idle: '3s' })),
  retry: () => retry(frozen({ limit: 2, jitter: 'none', statusCodes: [500, 503], methods: ['GET', 'PUT'] })),
  'retry of whole bodies': () => retry(frozen({ until: wholeBody, jitter: 'none', retryOnTimeout: true })),
  breaker: () => breaker(frozen({ failures: 2 })),
  bulkhead: () => bulkhead(frozen({ limit: 1, maxWait: false })),
  rateLimit: () => rateLimit(frozen({ rate: 1, per: '1s', maxWait: false })),
  dedupe: () => dedupe(frozen({ ignoreHeaders: ['x-request-id'] })),
  hedge: () => hedge(frozen({ delay: '500ms', share: 1, origins: [ONE, TWO] })),
  failover: () => failover(frozen({ origins: [ONE, TWO], credentialsFor: [TWO] })),
  auth: () => auth({ scheme: 'bearer', origins: [ONE], token: async ({ refused = 't' }) => `${refused}1` }),
  fallback: () => fallback(frozen({ none: [true] }), frozen({ methods: ['GET'] })),
  staleCache: () => cachePolicy(frozen({ store: memoryStore(), maxStale: '1d' }), memoryStore),
  outbox: () =>
    outboxPolicy(
      // Credentials that others have put on are this one's to put on again.
      frozen({ store: memoryStore(), match: WRITES, pollInterval: '1d', authorize: () => undefined }),
      memoryStore,
    ),
};

/** The same kinds in other options. */
const variants: Record<string, () => Policy> = {
  'totalTimeout by default': () => totalTimeout(),
  'attemptTimeout by default': () => attemptTimeout(),
  'attemptTimeout, idle alone': () => attemptTimeout(frozen({ attempt: false, idle: '3s' })),
  'attemptTimeout, attempt alone': () => attemptTimeout('3s'),
  'retry by default': () => retry(),
  'retry with hooks': () =>
    retry(frozen({ shouldRetry: async () => undefined, beforeRetry: async ({ request }) => request })),
  'retry with a hook that never settles': () => retry(frozen({ beforeRetry: never })),
  'retry with a key': () => retry(frozen({ idempotencyKey: true })),
  'retry of whole small bodies': () => retry(frozen({ until: wholeBody, bodyLimit: 2 })),
  'breaker by default': () => breaker(),
  'breaker with a probe': () => breaker(frozen({ failures: 1, probe: '/health' })),
  'bulkhead by default': () => bulkhead(),
  'bulkhead with a short queue': () => bulkhead(frozen({ limit: 1, queue: 1, maxWait: '30s' })),
  'rateLimit by default': () => rateLimit(),
  'rateLimit with a burst': () => rateLimit(frozen({ rate: 2, per: '1s', burst: 1, maxWait: '1s' })),
  'dedupe by default': () => dedupe(),
  'hedge by default': () => hedge(),
  'hedge at once': () => hedge(frozen({ delay: 0, share: 1 })),
  'failover from anywhere': () => failover(frozen({ origins: [TWO, ONE], order: 'spread' })),
  'auth by a token': () => auth(Object.freeze({ scheme: 'bearer', origins: [ONE], token: 't' })),
  'auth by tokens that are always new': () =>
    auth({ scheme: 'oauth2', origins: [ONE], grant: async () => ({ access_token: 't', expires_in: 1 }) }),
  'fallback to a response': () => fallback(frozen(new Response('none', { status: 200 }))),
  'fallback to what a function gives': () => fallback(async (_, { response }) => response ?? 'none'),
  'fallback to nothing': () => fallback(() => undefined),
  'fallback to what never comes': () => fallback(never),
  'staleCache of one entry': () =>
    cachePolicy(frozen({ store: memoryStore(), maxEntries: 1, maxEntryBytes: 6 }), memoryStore),
};

const alone = (table: Record<string, () => Policy>): Subject[] =>
  Object.entries(table).map(([name, make]) => [name, () => [make()]]);

const all = (): Policy[] =>
  standard({
    timeout: { total: '20s', attempt: '3s', idle: '3s' },
    breaker: { failures: 2 },
    dedupe: dedupe(),
    fallback: fallback({ none: true }),
    outbox: outboxPolicy({ store: memoryStore(), match: WRITES, pollInterval: '1d' }, memoryStore),
    staleCache: cachePolicy({ store: memoryStore() }, memoryStore),
    hedge: hedge({ delay: '500ms', share: 1, origins: [ONE, TWO] }),
    failover: failover({ origins: [ONE, TWO] }),
    auth: auth({ scheme: 'bearer', origins: [ONE], token: async () => 't' }),
    bulkhead: bulkhead({ limit: 2 }),
    rateLimit: rateLimit({ rate: 5 }),
  });

export const subjects: readonly Subject[] = [
  ['no policy', () => []],
  ...alone(kinds),
  ...alone(variants),
  ['the standard pipeline', () => standard()],
  ['the standard pipeline with all', all],
];

/** Every two of a different kind, in both orders. */
export const pairs: readonly Subject[] = Object.entries(kinds).flatMap(([outer, one]) =>
  Object.entries(kinds)
    .filter(([inner]) => inner !== outer)
    .map(([inner, other]): Subject => [`${outer} > ${inner}`, () => [one(), other()]]),
);

/** Some of the kinds in an order that chance makes. */
export function shuffled(random: () => number): Subject {
  const names = Object.keys(kinds);
  const count = 3 + Math.floor(random() * (names.length - 2));
  const chosen: string[] = [];
  while (chosen.length < count) chosen.push(...names.splice(Math.floor(random() * names.length), 1));
  return [chosen.join(' > '), () => chosen.map((name) => (kinds[name] as () => Policy)())];
}

/** Whether its options say that it reads a whole body before it returns the response. */
export const takesBodies = ([name]: Subject): boolean => name.includes('whole bodies');
