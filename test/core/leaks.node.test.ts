import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, test } from 'vitest';
import { systemHost } from '../../src/core/host.ts';
import { createFetch } from '../../src/fronts/fetch.ts';
import { macrotask } from '../../src/testing/index.ts';

setFlagsFromString('--expose-gc');
const gc = runInNewContext('gc') as () => void;

/** What is reachable now, in bytes. */
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

  test('by a response that nobody reads, once it is collected', async () => {
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
