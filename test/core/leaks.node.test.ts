import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { ownBody, watchBody } from '../../src/core/body/watched-response.ts';
import { systemHost } from '../../src/core/host.ts';
import { auth, bulkhead, dedupe, failover, memoryStore, staleCache } from '../../src/index.ts';
import { macrotask } from '../../src/testing.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** Reachable memory, in bytes. */
async function heap(): Promise<number> {
  for (let turn = 0; turn < 3; turn++) {
    gc();
    await macrotask();
  }
  return process.memoryUsage().heapUsed;
}

/** A clock that counts what is set and not yet cleared or over. */
function countingHost() {
  const timers = new Set<object>();
  return {
    timers,
    host: {
      clock: {
        ...systemHost.clock,
        after(ms: number, task: () => void, options?: { background?: boolean }) {
          const timer = {};
          timers.add(timer);
          const over = (): void => {
            timers.delete(timer);
            task();
          };
          const cancel = systemHost.clock.after(ms, over, options);
          return () => {
            timers.delete(timer);
            cancel();
          };
        },
      },
    },
  };
}

/** A signal that counts its listeners. */
function countingSignal(): { signal: AbortSignal; listeners(): number } {
  const { signal } = new AbortController();
  let count = 0;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = ((...args: Parameters<typeof add>) => {
    count++;
    add(...args);
  }) as never;
  signal.removeEventListener = ((...args: Parameters<typeof remove>) => {
    count--;
    remove(...args);
  }) as never;
  return { signal, listeners: () => count };
}

const URL_ = 'https://api.example.com/orders';

describe('after 100,000 calls', () => {
  test('no memory, no timer, and no listener on a signal that lives on', { timeout: 120_000 }, async () => {
    const { host, timers } = countingHost();
    const { signal, listeners } = countingSignal();
    const fetch = createFetch({ host, fetch: async () => new Response('{"n":1}') });
    const calls = async (count: number): Promise<void> => {
      for (let call = 0; call < count; call += 100)
        await Promise.all(Array.from({ length: 100 }, async () => (await fetch(URL_, { signal })).json()));
    };
    const kept: number[] = [];
    let before = await heap();
    for (let round = 0; round < 5; round++) {
      await calls(20_000);
      const now = await heap();
      kept.push((now - before) / 20_000);
      before = now;
    }
    // The engine's own warming up passes; what is kept for each call is kept in each round.
    expect(Math.min(...kept)).toBeLessThan(4);
    expect([timers.size, listeners()]).toEqual([0, 0]);
    await fetch.close();
  });
});

describe('nothing is left behind', () => {
  const outcomes: [string, () => Promise<Response>, (response: Response) => unknown][] = [
    ['a body that is read', async () => new Response('x'), (response) => response.text()],
    ['a body that is cancelled', async () => new Response('x'), (response) => response.body?.cancel()],
    ['no body', async () => new Response(null, { status: 204 }), () => {}],
    [
      'a body that breaks off',
      async () =>
        new Response(
          new ReadableStream({ pull: (controller) => controller.error(new TypeError('terminated')) }),
        ),
      (response) => response.text().catch(() => {}),
    ],
    ['a network error', () => Promise.reject(new TypeError('Failed to fetch')), () => {}],
    ['an error status', async () => new Response('x', { status: 503 }), (response) => response.text()],
  ];

  test.each(outcomes)('by a call that ends with %s', async (_, transport, finish) => {
    const { host, timers } = countingHost();
    const { signal, listeners } = countingSignal();
    const fetch = createFetch({ host, fetch: transport, retry: { limit: 1, delay: () => 0 } });
    const response = await fetch(URL_, { signal }).catch(() => undefined);
    if (response) await finish(response);
    await macrotask();
    expect([timers.size, listeners()]).toEqual([0, 0]);
    await fetch.close();
  });

  test.each(['first', 'second'])('by the %s call of a client that lives on', async (which) => {
    const fetch = createFetch({ fetch: async () => new Response('x') });
    const called = async (): Promise<WeakRef<object>> => {
      const options = { waitUntil: () => {} };
      await (await fetch(URL_, { holdfast: options })).text();
      return new WeakRef(options.waitUntil);
    };
    if (which === 'second') await called();
    const kept = await called();
    for (let turn = 0; turn < 50 && kept.deref(); turn++) await heap();
    expect(kept.deref()).toBeUndefined();
    await fetch.close();
  });

  test('by an unread response, once it is collected', async () => {
    const { signal, listeners } = countingSignal();
    const fetch = createFetch({ fetch: async () => new Response('x'.repeat(100_000)) });
    for (let call = 0; call < 50; call++) await fetch(URL_, { signal });
    for (let turn = 0; turn < 50 && listeners() > 0; turn++) {
      await heap();
    }
    expect(listeners()).toBe(0);
    await fetch.close();
  });
});

describe('a body that nothing reads', () => {
  const endless = () =>
    new ReadableStream<Uint8Array<ArrayBuffer>>({
      async pull(controller) {
        await macrotask();
        controller.enqueue(new Uint8Array(3));
      },
    });

  test.each<[string, object]>([
    ['alone', {}],
    ['beside staleCache', { staleCache: staleCache({ store: memoryStore() }) }],
    [
      'beside staleCache without respondAfter',
      { staleCache: staleCache({ store: memoryStore(), respondAfter: false }) },
    ],
    ['beside dedupe', { dedupe: dedupe() }],
    [
      'beside auth',
      { auth: auth({ scheme: 'bearer', origins: ['https://api.example.com'], token: () => 'token' }) },
    ],
    [
      'beside failover',
      { failover: failover({ origins: ['https://api.example.com', 'https://b.example.com'] }) },
    ],
  ])('gives its slot back when its response is collected: %s', async (_, more) => {
    const slots = bulkhead({ limit: 1 });
    const fetch = createFetch({
      retry: 0,
      partition: 'ann',
      bulkhead: slots,
      fetch: async () => new Response(endless(), { headers: { 'cache-control': 'no-store' } }),
      ...more,
    });
    await (async () => void (await fetch('https://api.example.com/')))();
    for (let turn = 0; Object.keys(slots.states()).length > 0; turn++) {
      expect(turn).toBeLessThan(500);
      gc();
      await macrotask();
    }
    await fetch.close();
  });

  test('takes no watcher away from a clone that is being read', async () => {
    const outcomes: string[] = [];
    let response: Response | undefined = new Response(endless());
    watchBody(response, {});
    const reader = response.clone().body?.getReader();
    let owned: Response | undefined = ownBody(response, { settled: (how) => outcomes.push(how) });
    response = undefined;
    await owned.body?.cancel();
    owned = undefined;
    for (let turn = 0; turn < 20; turn++) {
      gc();
      await reader?.read();
    }
    expect(outcomes).toEqual([]);
    await reader?.cancel();
    expect(outcomes).toEqual(['cancelled']);
  });
});
