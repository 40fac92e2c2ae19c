import { describe, expect, test } from 'vitest';
import {
  auth,
  breaker,
  bulkhead,
  type CreateClientOptions,
  createClient,
  createFetch,
  dedupe,
  type FetchOptions,
  fallback,
  indexedDBStore,
  memoryStore,
  outbox,
  staleCache,
  strategies,
} from '../../src/index.ts';

/** Each names the option, the value and what is allowed. */
describe('invalid input throws at once', () => {
  test.each<[string, () => unknown, RegExp]>([
    [
      'a store that is null',
      () => staleCache({ store: null as never }),
      /staleCache\.store: null .* a store/,
    ],
    [
      'half a store',
      () => staleCache({ store: {} as never }),
      /staleCache\.store: \{\} .* it lacks get, body, range, rangeWithBodies, write, close/,
    ],
    ['a slip in a store’s name', () => indexedDBStore({ nmae: 'x' } as never), /indexedDBStore\.nmae/],
    ['a name that is no text', () => indexedDBStore({ name: 1 as never }), /indexedDBStore\.name: 1/],
    [
      'an open time above the longest',
      () => breaker({ openFor: '60s', maxOpenFor: '4s' }),
      /breaker\.maxOpenFor: '4s' .* below openFor, 60000 ms/,
    ],
    [
      'a rare option of the breaker in its plain form',
      () => createFetch({ breaker: { probe: '/health' } as never }),
      /breaker\.probe: '\/health' .* make it with breaker: breaker\(\{ probe: … \}\)/,
    ],
    [
      'another policy as the breaker',
      () => createFetch({ breaker: bulkhead() as never }),
      /breaker\.name: 'bulkhead' .* unknown option/,
    ],
    [
      'a route that is null',
      () => createFetch({ routes: [null as never] }),
      /routes: null .* an object with a match/,
    ],
    [
      'a slip in the name of a policy',
      () => createClient({ stalecache: {} } as CreateClientOptions),
      /stalecache: .* do you mean staleCache\?/,
    ],
    [
      'a route with more than true or false for the breaker',
      () => createFetch({ routes: [{ match: '/x', breaker: { failures: 1 } as never }] }),
      /breaker: \{ failures: … \} .* true or false/,
    ],
  ])('configuration throws an error that names the option: %s', (_, run, message) => {
    expect(run).toThrow(message);
    expect(run).toThrow(expect.objectContaining({ code: 'configuration' }));
  });

  test.each<[FetchOptions, RegExp]>([
    [{ retry: { limit: -1 } }, /retry\.limit: -1/],
    [{ timeout: '5 s' as never }, /timeout\.attempt: '5 s'/],
    [{ bulkhead: { priority: 'urgent' as never } }, /bulkhead\.priority: 'urgent'/],
    [{ fallback: { methods: 'GET' as never } }, /fallback\.methods: 'GET'/],
    [{ strategies: { network: 'again' as never } }, /strategies\.network: 'again'/],
    [{ staleCache: { maxStale: '5 s' as never } }, /staleCache\.maxStale: '5 s'/],
    [{ outbox: { lane: 5 as never } }, /outbox\.lane: 5/],
  ])('also what a route or configure() gives to many calls: %j', (options, message) => {
    const store = memoryStore();
    const policies = {
      partition: 'public',
      bulkhead: bulkhead(),
      fallback: fallback(() => undefined),
      strategies: strategies({}),
      staleCache: staleCache({ store }),
      outbox: outbox({ store }),
    };
    expect(() => createFetch({ ...policies, routes: [{ match: '/', ...options }] })).toThrow(message);
    const fetch = createFetch({ ...policies, outbox: outbox({ store }) });
    expect(() => fetch.configure(options)).toThrow(message);
    return fetch.close();
  });

  test.each<[FetchOptions, RegExp]>([
    [{ breaker: { failures: 1 } as never }, /breaker: \{ failures: … \}/],
    [{ dedupe: 'yes' as never }, /dedupe: 'yes' .* true or false/],
    [{ staleCache: { maxStale: '5 s' as never } }, /staleCache\.maxStale: '5 s'/],
    [{ timeout: '5 s' as never }, /timeout.*'5 s'/],
  ])('a call throws an error that names its option: %o', async (holdfast, message) => {
    const fetch = createFetch({
      fetch: async () => new Response('ok'),
      partition: 'public',
      dedupe: dedupe(),
      staleCache: staleCache({ store: memoryStore() }),
    });
    await expect(fetch('https://a.example/', { holdfast })).rejects.toThrow(message);
  });

  test('breaker accepts a first open time above the default of the longest', () => {
    expect(() => breaker({ openFor: '60s' })).not.toThrow();
  });
});

test.each([undefined, null, 'ok', {}, { status: 200 }])(
  'a custom fetch that resolves to %o rejects the call and is named',
  async (given) => {
    const fetch = createFetch({ fetch: async () => given as unknown as Response });
    await expect(fetch('https://api.example/')).rejects.toThrow('fetch: ');
    await expect(fetch('https://api.example/')).rejects.toMatchObject({ category: 'configuration' });
    await fetch.close();
  },
);

describe('the response to a queued write', () => {
  test('an extended client sets optimisticResult for all writes', async () => {
    const client = createClient({
      fetch: () => Promise.reject(new TypeError('gone')),
      partition: 'ann',
      name: 'extended',
      outbox: outbox({ store: memoryStore() }),
    });
    const orders = client.extend({ outbox: { optimisticResult: { waits: true } } });
    expect(await orders.post('https://a.example/', { json: {} }).json()).toEqual({ waits: true });
    await expect(orders.get('https://a.example/', { retry: 0 }).json()).rejects.toThrow();
    await client.close();
  });
});

describe('an error about invalid input shows no secret', () => {
  const refused = async (make: () => unknown): Promise<string> => {
    try {
      await make();
    } catch (error) {
      return `${error} ${(error as Error).stack} ${(error as Error).cause}`;
    }
    return expect.unreachable('it was accepted');
  };
  const origins = ['https://api.example.com'];
  const long = 'S3CR3T'.repeat(30);
  const relative = ['a URL without an origin', () => createFetch()('/reset?token=S3CR3T')] as const;

  test.each<readonly [string, () => unknown]>([
    ['the name of basic', () => auth({ scheme: 'basic', origins, username: 'u:S3CR3T', password: 'x' })],
    ['an origin', () => auth({ scheme: 'bearer', origins: ['https://u:S3CR3T@a.example/'], token: 'x' })],
    ['a header', () => auth({ scheme: 'api-key', origins, header: 'Bearer S3CR3T', key: 'x' })],
    ['an unknown option', () => createFetch({ token: 'S3CR3T' } as never)],
    ['a long text', () => createFetch({ timeout: long as never })],
    // A page has an origin of its own to resolve it against.
    ...(globalThis.location ? [] : [relative]),
    ['a URL with a user', () => createFetch()('http://u:S3CR3T@127.0.0.1:1/?token=S3CR3T')],
    ['a broken URL', () => createFetch()('http://[?token=S3CR3T')],
  ])('an error about invalid input shows no secret: %s', async (_, make) => {
    expect(await refused(make)).not.toContain('S3CR3T');
  });
});
