import { expect } from 'vitest';
import type { AtomicStore, Store } from '../../src/core/store.ts';
import { createFetch, type HoldfastEvent, isQueued, outbox, sourceOf, staleCache } from '../../src/index.ts';
import { macrotask } from '../../src/testing/clock.ts';

const URL_ = 'https://api.example.com/orders';

/**
 * A response that was read once is served while the origin is down, to the next page that opens the store.
 *
 * @param open Another store on the same data.
 */
export async function servesStale(open: () => Store): Promise<void> {
  // The origin forbids a platform's shared cache what a private one may.
  const headers = { 'cache-control': 'private, max-age=0', etag: '"1"', 'set-cookie': 'a=b' };
  const body = `orders ${'ä'.repeat(5_000)}`;
  const before = reader(open(), async () => new Response(body, { headers }));
  const first = await before.fetch(URL_);
  expect([await first.text(), sourceOf(first)]).toEqual([body, 'network']);
  await before.stored;
  await before.fetch.close();

  const after = reader(open(), () => Promise.reject(new TypeError('Failed to fetch')));
  const cached = await after.fetch(URL_);
  expect([await cached.text(), sourceOf(cached)]).toEqual([body, 'stale']);
  expect(cached.headers.get('etag')).toBe('"1"');
  expect(await after.cache.clear({ partition: 'ann' })).toBeGreaterThanOrEqual(0);
  await after.fetch.close();

  const cleared = reader(open(), () => Promise.reject(new TypeError('Failed to fetch')));
  await expect(cleared.fetch(URL_)).rejects.toThrow();
  await cleared.fetch.close();
  expect([...before.troubles, ...after.troubles, ...cleared.troubles]).toEqual([]);
}

/** Over a store that fails reads go on with what the network has. @returns the events of that. */
export async function readsWithout(store: Store): Promise<HoldfastEvent> {
  const { fetch, trouble } = reader(store, async () => new Response('fresh'));
  for (const _ of [1, 2]) {
    const response = await fetch(URL_);
    expect([await response.text(), sourceOf(response)]).toEqual(['fresh', 'network']);
  }
  const failure = await trouble;
  await fetch.close();
  return failure;
}

function reader(store: Store, origin: () => Promise<Response>) {
  const cache = staleCache({ store, memory: false });
  const stored = Promise.withResolvers<void>();
  const trouble = Promise.withResolvers<HoldfastEvent>();
  const troubles: HoldfastEvent[] = [];
  const fetch = createFetch({
    name: 'shop',
    partition: 'ann',
    staleCache: cache,
    retry: false,
    breaker: false,
    fetch: origin,
    onEvent: (event) => {
      if (event.type === 'cache-stored') stored.resolve();
      if (event.type !== 'store-failed') return;
      troubles.push(event);
      trouble.resolve(event);
    },
  });
  return { fetch, cache, troubles, trouble: trouble.promise, stored: stored.promise };
}

/**
 * Writes that are accepted without a network are delivered once, in order, by the next page that opens the store.
 *
 * @param open Another store on the same data.
 */
export async function deliversOnce(open: () => AtomicStore): Promise<void> {
  const large = new Uint8Array(300_000).map((_, at) => at % 251);
  const bodies = ['one', large, new Blob(['three'], { type: 'text/x' })];
  const before = writer(open(), () => Promise.reject(new TypeError('Failed to fetch')));
  for (const [at, body] of bodies.entries()) {
    const response = await before.fetch(URL_, {
      method: 'POST',
      body,
      holdfast: { outbox: { id: `${at}` } },
    });
    expect(isQueued(response)).toBe(true);
  }
  expect(await before.box.counts()).toMatchObject({ waiting: 3 });
  await before.fetch.close();

  const arrived: { key: string | null; type: string | null; bytes: Uint8Array }[] = [];
  const after = writer(open(), async (request) => {
    const { headers } = request;
    const bytes = new Uint8Array(await request.arrayBuffer());
    arrived.push({ key: headers.get('idempotency-key'), type: headers.get('content-type'), bytes });
    return new Response(`thanks for ${arrived.length}`);
  });
  // Until the one that has closed has given the lane back.
  while ((await after.box.counts()).waiting > 0) {
    await after.box.flush();
    await macrotask();
  }
  expect(arrived.map(({ bytes }) => bytes)).toEqual([utf8.encode('one'), large, utf8.encode('three')]);
  expect(arrived[2]?.type).toBe('text/x');
  expect(new Set(arrived.map(({ key }) => key)).size).toBe(3);
  expect(await (await after.box.result('1')).text()).toBe('thanks for 2');
  expect(await after.box.counts()).toMatchObject({ waiting: 0, deadLetters: 0, count: 0, bytes: 0 });
  await after.fetch.close();

  const last = writer(open(), () => Promise.reject(new Error('nothing is to be sent')));
  await last.box.flush();
  expect(await (await last.box.result('2')).text()).toBe('thanks for 3');
  await last.fetch.close();
}

const utf8 = new TextEncoder();

function writer(store: AtomicStore, origin: (request: Request) => Promise<Response>) {
  const box = outbox({ store, respondAfter: 1 });
  const fetch = createFetch({
    name: 'shop',
    partition: 'ann',
    outbox: box,
    retry: false,
    breaker: false,
    fetch: (input, init) => origin(new Request(input, init)),
  });
  return { fetch, box };
}
