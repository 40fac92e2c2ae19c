import { describe, expect, test } from 'vitest';
import { faults } from '../../src/devtools/faults.ts';

const ORIGIN = 'https://api.example.com';

/** Faults over an origin that responds, and counts what it sees. */
function broken() {
  let seen = 0;
  const net = faults(async () => {
    seen++;
    const response = new Response('a long enough body');
    return Object.defineProperty(response, 'url', { value: `${ORIGIN}/orders` });
  });
  const ask = (signal = new AbortController().signal): Promise<Response> =>
    net.fetch(new Request(`${ORIGIN}/orders`), { signal });
  return { net, ask, seen: () => seen };
}

/** A signal, and how many listeners it has. */
function counted() {
  const controller = new AbortController();
  const { signal } = controller;
  const there = new Set<unknown>();
  const [add, remove] = [signal.addEventListener, signal.removeEventListener];
  signal.addEventListener = (type: string, listener: EventListener) => {
    there.add(listener);
    add.call(signal, type, listener);
  };
  signal.removeEventListener = (type: string, listener: EventListener) => {
    there.delete(listener);
    remove.call(signal, type, listener);
  };
  return { signal, listeners: () => there.size, abort: () => controller.abort() };
}

describe('faults', () => {
  test('without a rule, requests go out as they are', async () => {
    const { net, ask } = broken();
    net.set({ origin: 'https://other.example', fault: 'refuse' });
    expect(await (await ask()).text()).toBe('a long enough body');
  });

  test('refuse: rejects as a network does, and the origin sees nothing', async () => {
    const { net, ask, seen } = broken();
    net.set({ origin: `${ORIGIN}/any/path`, fault: 'refuse' });
    await expect(ask()).rejects.toThrow(TypeError);
    expect(seen()).toBe(0);
    net.clear(ORIGIN);
    expect((await ask()).status).toBe(200);
  });

  test('hang and slow: end with the reason of the abort', async () => {
    const { net, ask, seen } = broken();
    for (const fault of ['hang', 'slow'] as const) {
      net.set({ origin: '*', fault });
      const controller = new AbortController();
      const asked = ask(controller.signal);
      controller.abort('enough');
      await expect(asked).rejects.toBe('enough');
    }
    net.set({ origin: '*', fault: 'hang' });
    await expect(ask(AbortSignal.abort('before'))).rejects.toBe('before');
    expect(seen()).toBe(0);
  });

  test('slow: sends after the delay', async () => {
    const { net, ask, seen } = broken();
    net.set({ origin: '*', fault: 'slow', delay: 1 });
    expect((await ask()).status).toBe(200);
    expect(seen()).toBe(1);
  });

  test('hang and slow: leave no listener on the signal of the caller, however the call ends', async () => {
    const { net, ask } = broken();
    const { signal, listeners, abort } = counted();
    net.set({ origin: '*', fault: 'slow', delay: 1 });
    await Promise.all([ask(signal), ask(signal), ask(signal)]);
    expect(listeners()).toBe(0);
    net.set({ origin: '*', fault: 'slow' });
    const slow = ask(signal);
    net.set({ origin: '*', fault: 'hang' });
    const asked = Promise.allSettled([slow, ask(signal)]);
    expect(listeners()).toBe(2);
    abort();
    await asked;
    expect(listeners()).toBe(0);
  });

  test('error-500 and error-429: responses of the fault’s own', async () => {
    const { net, ask, seen } = broken();
    net.set({ origin: '*', fault: 'error-500' });
    expect((await ask()).status).toBe(500);
    net.set({ origin: '*', fault: 'error-429', retryAfter: 7 });
    const limited = await ask();
    expect([limited.status, limited.headers.get('retry-after')]).toEqual([429, '7']);
    expect(seen()).toBe(0);
  });

  test('truncate: the body breaks off', async () => {
    const { net, ask } = broken();
    net.set({ origin: '*', fault: 'truncate' });
    const response = await ask();
    expect(response.status).toBe(200);
    expect(response.url).toBe(`${ORIGIN}/orders`);
    // Firefox rejects text() with an error of its own.
    const reader = response.body?.getReader();
    expect((await reader?.read())?.value).toHaveLength(9);
    await expect(reader?.read()).rejects.toThrow(TypeError);
  });

  test('lose-response: the origin sees the request, the caller no response', async () => {
    const { net, ask, seen } = broken();
    net.set({ origin: '*', fault: 'lose-response' });
    await expect(ask()).rejects.toThrow(TypeError);
    expect(seen()).toBe(1);
  });

  test('a rule that cannot be meant is an error that names it', () => {
    const { net } = broken();
    expect(() => net.set({ origin: '*', fault: 'explode' as never })).toThrow('faults.fault');
    expect(() => net.set({ origin: '*', fault: 'toString' as never })).toThrow('faults.fault');
    expect(() => net.set({ origin: 'api', fault: 'hang' })).toThrow('faults.origin');
    expect(() => net.set({ origin: '*', fault: 'slow', delay: -1 })).toThrow('faults.delay');
    expect(() => net.set({ origin: '*', fault: 'error-429', retryAfter: 0.5 })).toThrow('faults.retryAfter');
    expect(() => net.set({ origin: '*', fault: 'hang', delays: 1 } as never)).toThrow('unknown option');
    expect(net.rules()).toEqual([]);
  });

  test('a watcher hears each request and its response, until it ends', async () => {
    const { net, ask } = broken();
    const heard: unknown[] = [];
    const end = net.watch(({ url }) => {
      heard.push(url);
      return ({ status }) => heard.push(status);
    });
    await ask();
    end();
    await ask();
    expect(heard).toEqual([`${ORIGIN}/orders`, 200]);
  });
});
