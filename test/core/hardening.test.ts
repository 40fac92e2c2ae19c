import { describe, expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { hang, macrotask, networkError, ok, stalledBody, status } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** Firefox has no `request.body`, and no streams to send. */
const hasStreams = 'body' in Request.prototype;

describe('a request as options', () => {
  test('has its method, headers and body, as with the platform’s fetch', async () => {
    const { fetch, origin } = scenario([]);
    const request = new Request('https://other.example/', {
      method: 'POST',
      body: 'hello',
      headers: { 'x-a': '1' },
    });
    await fetch(URL_, request);
    expect(origin.seen).toMatchObject([{ method: 'POST', url: URL_, body: hasStreams ? 'hello' : '' }]);
    expect(origin.seen[0]?.headers.get('x-a')).toBe('1');
  });

  test('or of a class with getters', async () => {
    const { fetch, origin } = scenario([]);
    class Init {
      get method(): string {
        return 'PUT';
      }
      get body(): string {
        return 'x';
      }
    }
    await fetch(URL_, new Init());
    expect(origin.seen).toMatchObject([{ method: 'PUT', body: 'x' }]);
  });
});

describe('a partition', () => {
  test.each<[string, () => unknown]>([
    ['an object', () => ({})],
    ['nothing', () => ''],
    ['a number', () => 5],
  ])('that is %s is refused at each call', async (_, partition) => {
    const { fetch, origin } = scenario([cachePolicy({ store: memoryStore() }, memoryStore)], {
      partition: partition as () => string,
    });
    await expect(fetch(URL_)).rejects.toThrow(
      /partition: .* is not allowed; expected an id that is not empty/,
    );
    expect(origin.seen).toEqual([]);
  });
});

test('a response that varies by credentials leaves none of them in the store', async () => {
  const store = memoryStore();
  const { fetch, origin, clock } = scenario([cachePolicy({ store }, () => store)], { partition: 'ann' });
  const headers = (token: string) => ({ headers: { authorization: `Bearer ${token}` } });
  origin.replies(ok('hers', { headers: { vary: 'Authorization, Cookie', 'cache-control': 'max-age=60' } }));
  await (await fetch(URL_, headers('SECRET'))).text();
  await clock.advance(10);
  expect(JSON.stringify(await store.range({ prefix: '' }))).not.toContain('SECRET');
  // The token was refreshed; she is still the same.
  origin.otherwise(networkError());
  expect(await (await fetch(URL_, headers('NEW'))).text()).toBe('hers');
});

test('no-cache is not served from the cache, fresh or not; a fragment does not make another cached response', async () => {
  const { fetch, origin, clock } = scenario([cachePolicy({ store: memoryStore() }, memoryStore)], {
    partition: 'public',
  });
  origin.replies(ok('a', { headers: { 'cache-control': 'no-cache, max-age=60' } }));
  await (await fetch(URL_)).text();
  await clock.advance(10);
  origin.replies(networkError());
  await expect(fetch(URL_)).rejects.toThrow(TypeError);
  origin.replies(ok('b', { headers: { 'cache-control': 'max-age=60' } }));
  await (await fetch(`${URL_}#x`)).text();
  await clock.advance(10);
  origin.replies(networkError());
  expect(await (await fetch(URL_)).text()).toBe('b');
});

test.skipIf(!hasStreams)('an abort ends a call whose body is still being read', async () => {
  const { fetch, clock } = scenario([retry()]);
  const controller = new AbortController();
  const reason = new Error('mine');
  clock.after(100, () => controller.abort(reason));
  const body = new ReadableStream({}, { highWaterMark: 0 });
  const init = { method: 'PUT', body, duplex: 'half', signal: controller.signal } as RequestInit;
  await expect(fetch(URL_, init)).rejects.toBe(reason);
});

describe('limits of time', () => {
  const limited = async (base: unknown, own: unknown): Promise<number> => {
    const { fetch, origin, clock } = scenario([totalTimeout(base as never), attemptTimeout(base as never)]);
    origin.otherwise(hang());
    await expect(fetch(URL_, { holdfast: { timeout: own } })).rejects.toMatchObject({ name: 'TimeoutError' });
    return clock.ticks();
  };

  test.each<[unknown, unknown, number]>([
    ['60s', { idle: '1s' }, 60_000],
    ['60s', { total: false }, 60_000],
    [{ total: '5s', attempt: '2s' }, '3s', 3_000],
    [{ total: '5s', attempt: '2s' }, '8s', 8_000],
    [{ total: '5s', attempt: '2s' }, { total: '1s' }, 1_000],
    [false, '3s', 3_000],
  ])('of the client %j and of the call %j are one: %i ms', async (base, own, expected) => {
    expect(await limited(base, own)).toBe(expected);
  });
});

test('options that cannot be meant leave neither a timer nor a listener', async () => {
  const { fetch, clock } = scenario([totalTimeout(), retry(), attemptTimeout()]);
  await expect(fetch(URL_, { holdfast: { retry: -1 } })).rejects.toThrow(/retry\.limit: -1/);
  expect(clock.pending).toBe(0);
});

test('`true` in a call keeps the options of its route', async () => {
  const asked: unknown[] = [];
  const spy = Object.defineProperty(
    (next: never) => (request: Request, call: { options: Record<string, unknown> }) => {
      asked.push(call.options.spy);
      return (next as (request: Request, call: unknown) => Promise<Response>)(request, call);
    },
    'name',
    { value: 'spy' },
  );
  const { fetch } = scenario([spy as never], { routes: [{ match: ORIGIN, spy: { lane: 'cart' } }] });
  await fetch(URL_, { holdfast: { spy: true } });
  expect(asked).toEqual([{ lane: 'cart' }]);
});

describe('what is said nearer to the call', () => {
  test('is looked at by itself: what cannot be meant does not disappear in what a route says', async () => {
    const routes = [{ match: ORIGIN, retry: { limit: 1 }, timeout: { idle: 1 } }];
    const { fetch } = scenario([totalTimeout(), retry()], { routes });
    for (const name of ['retry', 'timeout'])
      await expect(fetch(URL_, { holdfast: { [name]: [] } })).rejects.toThrow(
        `${name}: a list of 0 is not allowed; expected an object`,
      );
  });

  test('`undefined` of a route says nothing: what a route before it, or configure(), says holds', async () => {
    const { fetch, origin } = scenario([retry({ delay: () => 0 }), totalTimeout()], {
      routes: [
        { match: ORIGIN, retry: 0 },
        { match: ORIGIN, retry: undefined, timeout: undefined },
      ],
    });
    origin.replies(networkError(), hang());
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'network' });
    fetch.configure({ timeout: { total: 200 } });
    await expect(fetch(URL_)).rejects.toThrow('200 ms');
  });

  test('adds to what a route says, and `undefined` says nothing', async () => {
    const { fetch, origin } = scenario([retry({ limit: 9, delay: () => 0 })], {
      routes: [{ match: ORIGIN, retry: { limit: 1 } }],
    });
    origin.otherwise(networkError());
    for (const own of [undefined, { jitter: 'none' }, true]) {
      const before = origin.seen.length;
      await expect(fetch(URL_, { holdfast: { retry: own } })).rejects.toThrow();
      expect(origin.seen.length - before).toBe(2);
    }
  });
});

test('in the place of the platform’s fetch it does not call itself', async () => {
  const native = globalThis.fetch;
  const replaced = async () => ok('platform');
  globalThis.fetch = replaced;
  try {
    const [first, second] = [createFetch(), createFetch()];
    globalThis.fetch = first;
    expect(await (await first(URL_)).text()).toBe('platform');
    globalThis.fetch = second;
    expect(await (await first(URL_)).text()).toBe('platform');
    expect(await (await globalThis.fetch(URL_)).text()).toBe('platform');
    globalThis.fetch = async () => ok('replaced later');
    expect(await (await first(URL_)).text()).toBe('replaced later');
  } finally {
    globalThis.fetch = native;
  }
});

describe('instrumentation that wraps it in the place of the platform’s fetch', () => {
  type Wrapper = (inner: typeof fetch, input: RequestInfo | URL, init?: RequestInit) => Promise<Response>;

  test.each<[string, Wrapper]>([
    ['calls it at once', (inner, input, init) => inner(input, init)],
    ['makes a request of its own', (inner, input, init) => inner(new Request(input, init))],
    [
      'calls it later',
      async (inner, input, init) => {
        await macrotask();
        return inner(input, init);
      },
    ],
  ])('%s, and each request reaches the platform once', async (_, wrapped) => {
    const native = globalThis.fetch;
    let [reached, entered] = [0, 0];
    const platform = async () => {
      reached++;
      return reached === 1 ? new Response(null, { status: 503 }) : ok('platform');
    };
    globalThis.fetch = platform;
    try {
      const inner = createFetch({ retry: { delay: () => 0 } }) as typeof fetch;
      globalThis.fetch = (input, init) => {
        entered++;
        return entered > 9 ? Promise.reject(new Error('it calls itself')) : wrapped(inner, input, init);
      };
      const response = await globalThis.fetch(URL_);
      expect([await response.text(), reached]).toEqual(['platform', 2]);
    } finally {
      globalThis.fetch = native;
    }
  });
});

describe('a status that was to be repeated', () => {
  test('is the caller’s if the circuit opens inner the next attempt', async () => {
    const { fetch, origin } = scenario([
      retry({ limit: 9, delay: () => 10, budget: false }),
      breaker({ failures: 5 }),
    ]);
    origin.otherwise(() => Response.json({ sorry: true }, { status: 503 }));
    for (let n = 0; n < 4; n++) await fetch(URL_, { holdfast: { retry: 0 } });
    const response = await fetch(URL_);
    expect([response.status, await response.json(), response.url]).toEqual([503, { sorry: true }, '']);
    expect(origin.seen).toHaveLength(5);
  });

  test('is the caller’s also where its body comes a little later than its headers', async () => {
    const { fetch, origin, clock } = scenario([
      retry({ delay: () => 1, jitter: 'none' }),
      breaker({ failures: 1 }),
    ]);
    const body = new ReadableStream({
      start: (controller) =>
        void clock.after(50, () => {
          controller.enqueue(new TextEncoder().encode('late'));
          controller.close();
        }),
    });
    origin.replies(new Response(body, { status: 503 }));
    const response = await fetch(URL_);
    expect([response.status, await response.text()]).toEqual([503, 'late']);
  });

  test('is read to its end while the next attempt waits, and not longer', async () => {
    const { fetch, origin } = scenario([retry({ delay: () => 10, jitter: 'none' })]);
    const stalled = stalledBody();
    origin.replies(new Response(stalled.response.body, { status: 503 }));
    expect((await fetch(URL_)).status).toBe(200);
    await new Promise((give) => setTimeout(give, 0));
    expect(stalled.cancelled()).toBe(true);
  });

  test('is waited for as it asks, whatever statuses are named', async () => {
    const { fetch, origin, clock } = scenario([retry({ statusCodes: [418] })]);
    origin.replies(status(418, { 'retry-after': '7' }));
    await fetch(URL_);
    expect(clock.ticks()).toBeGreaterThanOrEqual(7_000);
  });
});

test('a key that is made on demand is a string of a structured field', async () => {
  const { fetch, origin } = scenario([retry({ idempotencyKey: true })]);
  await fetch(URL_, { method: 'POST', body: 'x' });
  expect(origin.seen[0]?.headers.get('idempotency-key')).toMatch(/^"[a-z0-9]+"$/);
});

test('a circuit of which only the longest open time is named opens no longer', () => {
  expect(() => breaker({ maxOpenFor: '1s' })).not.toThrow();
});

test.each<[object | null, RegExp]>([
  [{ onEvent: 'x' }, /onEvent: 'x' is not allowed; expected a function/],
  [{ fetch: 'x' }, /fetch: 'x' is not allowed; expected a function/],
  [{ waitUntil: 5 }, /waitUntil: 5 is not allowed; expected a function/],
  [{ name: 5 }, /name: 5 is not allowed; expected a string/],
  [{ partition: 5 }, /partition: 5 is not allowed/],
  [{ partition: '\ud800' }, /partition: .* expected a string of well-formed text/],
  [{ routes: {} }, /routes: \{\} is not allowed; expected a list/],
  [{ routes: [{ match: 5 }] }, /routes\.match: 5 is not allowed/],
  [{ retry: [] }, /retry: a list of 0 is not allowed; expected an object/],
  [{ staleCache: () => {} }, /staleCache: a function is not allowed; expected what staleCache\(\) returns/],
  [{ headers: { authorization: 'SECRET' } }, /headers: \{ authorization: … \} is not allowed/],
  [null, /options: null is not allowed; expected an object/],
])('%j cannot be meant', (options, message) => {
  expect(() => createFetch(options as never)).toThrow(ConfigurationError);
  expect(() => createFetch(options as never)).toThrow(message);
});
