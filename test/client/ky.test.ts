import ky, { type HTTPError, isHTTPError, isNetworkError, isTimeoutError, type KyInstance } from 'ky';
import { describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../src/client/ky/client.ts';
import type { CreateClientOptions } from '../../src/client/ky/options.ts';
import type { Clock } from '../../src/core/contract.ts';
import { categoryOf, isQueued } from '../../src/core/outcome.ts';
import { toProblemResponse } from '../../src/observability/problem.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { brokenBody, hang, networkError, ok, slow, stalledBody, status } from '../../src/testing.ts';
import { clientScene } from '../support/client-scene.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN } from '../support/scenario.ts';

const json = (value: unknown, init?: ResponseInit): Response => Response.json(value, init);

describe('the features of ky', () => {
  test('the client has ky’s shortcuts, JSON, search parameters, base URL and headers', async () => {
    const { api, origin } = clientScene({ headers: { 'x-mine': 'yes' } });
    origin.replies(json([1, 2]), ok('created'));
    expect(await api.get('orders', { searchParams: { page: 2 } }).json()).toEqual([1, 2]);
    expect(await api.post('orders', { json: { item: 'tea' } }).text()).toBe('created');
    expect(origin.seen.map(({ method, url, body }) => [method, url, body])).toEqual([
      ['GET', `${ORIGIN}/v1/orders?page=2`, ''],
      ['POST', `${ORIGIN}/v1/orders`, '{"item":"tea"}'],
    ]);
    expect(origin.seen.map(({ headers }) => headers.get('x-mine'))).toEqual(['yes', 'yes']);
    expect(origin.seen[0]?.headers.get('accept')).toBe('application/json');
    expect(origin.seen[1]?.headers.get('content-type')).toBe('application/json');
  });

  test('the client is a ky instance to the types', () => {
    const { api } = clientScene();
    const instance: KyInstance = api;
    expect(typeof instance.extend).toBe('function');
    expect([api.stop, api.retry]).toEqual([ky.stop, ky.retry]);
  });

  test('the client throws HTTP errors unless throwHttpErrors is false', async () => {
    const { api, origin } = clientScene();
    origin.replies(status(404), status(404));
    const error = await api.get('x').catch((thrown) => thrown);
    expect(isHTTPError(error)).toBe(true);
    expect(error.response.status).toBe(404);
    expect((await api.get('x', { throwHttpErrors: false })).status).toBe(404);
  });

  test('the client runs all hooks of ky, beforeRetry for each retry of the pipeline', async () => {
    const ran: string[] = [];
    const { api, origin } = clientScene({
      hooks: {
        init: [() => void ran.push('init')],
        beforeRequest: [
          ({ request }) => {
            ran.push('beforeRequest');
            request.headers.set('x-hook', '1');
          },
        ],
        beforeRetry: [
          ({ retryCount, error, request }) =>
            void ran.push(`beforeRetry ${retryCount} ${isHTTPError(error)} ${request.method}`),
        ],
        afterResponse: [({ response }) => void ran.push(`afterResponse ${response.status}`)],
        beforeError: [
          ({ error }) => {
            ran.push(`beforeError ${error.name}`);
            return error;
          },
        ],
      },
    });
    origin.replies(status(503), status(503), ok());
    await api.get('x');
    expect(ran).toEqual([
      'init',
      'beforeRequest',
      'beforeRetry 1 true GET',
      'beforeRetry 2 true GET',
      'afterResponse 200',
    ]);
    expect(origin.seen.every(({ headers }) => headers.get('x-hook') === '1')).toBe(true);
    ran.length = 0;
    origin.replies(status(400));
    await expect(api.get('x')).rejects.toThrow();
    expect(ran).toEqual(['init', 'beforeRequest', 'afterResponse 400', 'beforeError HTTPError']);
  });

  test('beforeRetry may change the request, respond itself, or stop', async () => {
    const results: unknown[] = [new Request(`${ORIGIN}/other`), new Response('from the hook'), ky.stop];
    const { api, origin } = clientScene({ hooks: { beforeRetry: [() => results.shift() as never] } });
    origin.replies(status(503), ok('other'));
    expect(await api.get('x').text()).toBe('other');
    expect(origin.seen[1]?.url).toBe(`${ORIGIN}/other`);
    origin.replies(status(503));
    expect(await api.get('x').text()).toBe('from the hook');
    origin.replies(status(503));
    expect(await api.get('x')).toBeUndefined();
    expect(origin.seen).toHaveLength(4);
  });

  test('beforeRetry may end with the response of the error', async () => {
    const beforeRetry = [({ error }: { error: Error }) => (error as HTTPError).response];
    const { api, origin } = clientScene({ hooks: { beforeRetry } });
    origin.replies(status(503));
    await expect(api.get('x')).rejects.toMatchObject({ name: 'HTTPError', data: 'status 503' });
    expect(origin.seen).toHaveLength(1);
  });

  test('ky.retry() repeats as often as the limit allows', async () => {
    let again = 2;
    const { api, origin } = clientScene({
      hooks: { afterResponse: [() => (again-- > 0 ? ky.retry({ delay: 1 }) : undefined)] },
    });
    origin.replies(ok('1'), ok('2'), ok('3'));
    expect(await api.get('x').text()).toBe('3');
  });

  test('an invalid URL throws', () => {
    const { api } = clientScene({ baseUrl: undefined as never });
    expect(() => api.get('http://')).toThrow(TypeError);
  });
});

describe('time limits and retries', () => {
  test('the pipeline limits and retries with its defaults: jitter, and timeouts only by retryOnTimeout', async () => {
    const { api, origin, clock } = clientScene();
    origin.replies(hang(), ok('second'));
    expect(await api.get('x', { retry: { retryOnTimeout: true } }).text()).toBe('second');
    expect(clock.slept[0]).toBe(10_000);
    expect(clock.slept[1]).toBeGreaterThanOrEqual(300);
    expect(clock.slept[1]).toBeLessThanOrEqual(450);
  });

  test.each<[string, object, number]>([
    ['timeout of the client', {}, 3_000],
    ['timeout of the call', { timeout: 1_000 }, 1_000],
    ['timeout with its unit', { timeout: '2s' }, 2_000],
    ['totalTimeout', { totalTimeout: 500, timeout: 500 }, 500],
  ])('%s limits a call', async (_, options, expected) => {
    const { api, origin, clock } = clientScene({ timeout: 3_000, retry: 0 });
    origin.otherwise(hang());
    const error = await api.get('x', options).catch((thrown) => thrown);
    expect(isTimeoutError(error)).toBe(true);
    expect(error.request.url).toBe(`${ORIGIN}/v1/x`);
    expect(clock.ticks()).toBe(expected);
  });

  test.each<[string, () => object]>([
    ['JSON', () => ({ json: { item: 'tea' } })],
    ['text', () => ({ body: 'tea' })],
    ['an empty text', () => ({ body: '' })],
    // Firefox does not say that a request has no body.
    ['nothing', () => ({})],
    ['nothing, with options of the policies', () => ({ retry: 0, telemetry: false })],
    ['parameters', () => ({ body: new URLSearchParams('item=tea'), searchParams: { page: 1 } })],
    ['a blob', () => ({ body: new Blob(['tea']) })],
    [
      'a form',
      () => {
        const body = new FormData();
        body.set('item', 'tea');
        return { body };
      },
    ],
  ])('the default limits hold for a small body: %s', async (_, init) => {
    const { api, origin, clock } = clientScene();
    origin.otherwise(hang());
    await expect(api.post('x', init())).rejects.toMatchObject({ code: 'timeout-attempt' });
    expect(clock.ticks()).toBe(10_000);
  });

  test('the default limits hold for a small body that ky.retry() sends again', async () => {
    const afterResponse = [({ response }: { response: Response }) => (response.ok ? response : ky.retry())];
    const { api, origin } = clientScene({ hooks: { afterResponse } });
    origin.replies(status(401), hang());
    await expect(api.post('x', { json: 1 })).rejects.toMatchObject({ code: 'timeout-attempt' });
    expect(origin.seen.map(({ body }) => body)).toEqual(['1', '1']);
  });

  test('a body that a beforeRequest hook puts in place is the one that is sent again', async () => {
    const beforeRequest = [({ request }: { request: Request }) => new Request(request, { body: 'coffee' })];
    const { api, origin } = clientScene({ hooks: { beforeRequest } });
    origin.replies(status(503));
    await api.put('x', { body: 'tea' });
    await api.put('x', { body: 'tea', retry: 1 });
    expect(origin.seen.map(({ body }) => body)).toEqual(['coffee', 'coffee', 'coffee']);
  });

  test('the default limits do not hold for a large body', async () => {
    const { api, origin, clock } = clientScene();
    origin.replies(slow(clock, 120_000));
    expect((await api.post('x', { json: 'x'.repeat(300_000) })).status).toBe(200);
  });

  test('timeout: false is no limit', async () => {
    const { api, origin, clock } = clientScene();
    origin.replies(
      (_, signal) =>
        new Promise((resolve) => {
          const cancel = clock.after(100_000, () => resolve(ok('late')));
          signal.addEventListener('abort', cancel);
        }),
    );
    expect(await api.get('x', { timeout: false }).text()).toBe('late');
  });

  test('a ky retry object works unchanged', async () => {
    const seen: unknown[] = [];
    const { api, origin, clock } = clientScene({
      retry: {
        limit: 4,
        methods: ['post'],
        statusCodes: [418],
        backoffLimit: 1_000,
        delay: (attempt: number) => attempt * 400,
        jitter: undefined,
        shouldRetry: ({ error, retryCount }: { error: Error; retryCount: number }) => {
          seen.push([isHTTPError(error), retryCount]);
          return undefined as never;
        },
      },
    });
    origin.otherwise(status(418));
    await expect(api.post('x', { json: 1 })).rejects.toThrow();
    expect(origin.seen).toHaveLength(5);
    expect(seen).toEqual([1, 2, 3, 4].map((count) => [true, count]));
    expect(clock.slept.length).toBe(4);
    for (const [at, ms] of clock.slept.entries()) {
      const backoff = Math.min(1_000, (at + 1) * 400);
      expect(ms).toBeGreaterThanOrEqual(backoff);
      expect(ms).toBeLessThanOrEqual(Math.min(1_000, 1.5 * backoff));
    }
  });

  test('an init hook of a call may change its retry options', async () => {
    const { api, origin } = clientScene();
    origin.otherwise(status(503));
    await expect(
      api.get('x', { hooks: { init: [(options) => void Object.assign(options, { retry: { limit: 1 } })] } }),
    ).rejects.toThrow();
    expect(origin.seen).toHaveLength(2);
  });

  test('a network error is ky’s own, with the facts of the pipeline', async () => {
    const { api, origin } = clientScene({ retry: 1 });
    origin.otherwise(networkError('words that ky does not know'));
    const error = await api.get('x').catch((thrown) => thrown);
    expect(isNetworkError(error)).toBe(true);
    expect(error.request.url).toBe(`${ORIGIN}/v1/x`);
    expect(error).toMatchObject({
      code: 'network',
      transient: true,
      attempts: [{ attempt: 1 }, { attempt: 2 }],
    });
    expect(error.cause).toBeInstanceOf(TypeError);
  });

  test('the caller’s abort passes through unchanged', async () => {
    const { api, origin } = clientScene();
    origin.replies(hang());
    const controller = new AbortController();
    const reason = new Error('mine');
    const response = api.get('x', { signal: controller.signal });
    await quiet();
    controller.abort(reason);
    await expect(response).rejects.toBe(reason);
  });
});

describe('a shortcut needs the whole body', () => {
  test.each([
    ['breaks', () => brokenBody('{"a"')],
    ['stalls', () => stalledBody('{"a"').response],
  ])('json(): a body that %s is a failed attempt', async (_, body) => {
    const { api, origin } = clientScene();
    origin.replies(body(), json([1]));
    expect(await api.get('orders').json()).toEqual([1]);
    expect(origin.seen).toHaveLength(2);
  });

  test.each([
    ['a number', { retry: 1 }, 2],
    ['an object', { retry: { limit: 1 } }, 2],
    ['retry: 0', { retry: 0 }, 1],
    ["until: 'headers'", { retry: { until: 'headers' } }, 1],
  ] as const)('text(): with %s in `retry`, its limit and its `until` hold', async (_, options, sent) => {
    const { api, origin } = clientScene();
    origin.otherwise(() => brokenBody());
    await expect(api.get('orders', options).text()).rejects.toThrow();
    expect(origin.seen).toHaveLength(sent);
  });

  test('a client that names `until` keeps it', async () => {
    const { api, origin } = clientScene({ retry: { until: 'headers' } });
    origin.otherwise(() => brokenBody());
    await expect(api.get('orders').text()).rejects.toThrow();
    expect(origin.seen).toHaveLength(1);
  });

  test.each<[string, CreateClientOptions, number]>([
    ['retry: false', { routes: [{ match: '/v1/pay', retry: false }] }, 1],
    ['retry: 1', { routes: [{ match: '/v1/pay', retry: 1 }] }, 2],
  ])('json(): `%s` of a route holds', async (_, options, sent) => {
    const { api, origin } = clientScene(options);
    origin.otherwise(() => status(503));
    await expect(api.put('pay', { json: 1 }).json()).rejects.toThrow();
    expect(origin.seen).toHaveLength(sent);
  });

  test('json(): `retry: 0` of configure() holds', async () => {
    const { api, origin } = clientScene();
    api.configure({ retry: 0 });
    origin.otherwise(() => status(503));
    await expect(api.put('pay', { json: 1 }).json()).rejects.toThrow();
    expect(origin.seen).toHaveLength(1);
  });

  /** Sends a body in chunks, `pause` ms apart; stops after `count` of them. */
  const chunked = (clock: Clock, size: number, count: number, pause: number, ends = true): Response => {
    let left = count;
    return new Response(
      new ReadableStream(
        {
          pull(controller) {
            if (left === 0) return ends ? controller.close() : new Promise(() => {});
            left--;
            const chunk = new Uint8Array(size).fill(0x31);
            if (!pause) return controller.enqueue(chunk);
            return new Promise<void>((done) => {
              clock.after(pause, () => {
                controller.enqueue(chunk);
                done();
              });
            });
          },
        },
        { highWaterMark: 0 },
      ),
    );
  };

  test.each(['json', 'text', 'blob', 'arrayBuffer'] as const)(
    '%s(): the idle limit holds for the rest of a body over 1 MB',
    async (shortcut) => {
      const { api, origin, clock } = clientScene();
      origin.otherwise(() => chunked(clock, 100_000, 12, 0, false));
      await expect(api.get('big')[shortcut]()).rejects.toMatchObject({ code: 'timeout-idle' });
    },
  );

  test('text(): a body that comes slowly for a minute arrives', async () => {
    const { api, origin, clock } = clientScene();
    origin.replies(chunked(clock, 1, 12, 5_000));
    expect(await api.get('slow').text()).toHaveLength(12);
  });

  test('a response without a shortcut streams', async () => {
    const { api, origin } = clientScene();
    origin.replies(stalledBody('half').response);
    const reader = ((await api.get('orders')).body as ReadableStream).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('half');
    await reader.cancel();
  });
});

describe('policies of the client', () => {
  test('extend and create share the policies of the client', async () => {
    const circuit = breaker({ maxWait: 0 });
    const { api, origin } = clientScene({ breaker: circuit, retry: 0 });
    origin.otherwise(status(503));
    const extended = api.extend({ headers: { 'x-more': '1' } });
    const created = api.create({ baseUrl: ORIGIN });
    for (const client of [api, extended, created, extended, created])
      await expect(client.get(`${ORIGIN}/x`)).rejects.toThrow();
    expect(circuit.states()[`${ORIGIN}/x`]?.state).toBe('open');
    await expect(extended.get(`${ORIGIN}/x`)).rejects.toMatchObject({ code: 'circuit-open' });
    expect(origin.seen).toHaveLength(5);
    expect(origin.seen[1]?.headers.get('x-more')).toBe('1');
  });

  test('extend keeps and adds options of calls', async () => {
    const { api, origin } = clientScene({ retry: { limit: 3, jitter: 'none' } });
    origin.otherwise(status(503));
    await expect(api.extend({ retry: { limit: 1 } }).get('x')).rejects.toThrow();
    expect(origin.seen).toHaveLength(2);
    await expect(api.extend((parent) => ({ ...parent, retry: 0 })).get('x')).rejects.toThrow();
    expect(origin.seen).toHaveLength(3);
  });

  test.each<[object, number]>([
    [{ idle: '1s' }, 2_000],
    [{ total: '20s' }, 2_000],
    [{ total: '1s' }, 1_000],
    [{ attempt: '3s' }, 3_000],
    [{ total: false, attempt: false, idle: '4s' }, 4_000],
  ])('a call with timeout %j keeps the duration that extend has given', async (timeout, expected) => {
    const { api, origin, clock } = clientScene({ retry: 0 });
    origin.replies(expected === 4_000 ? stalledBody().response : hang());
    await expect(api.extend({ timeout: '2s' }).get('x', { timeout }).text()).rejects.toThrow();
    expect(clock.ticks()).toBe(expected);
    origin.replies(expected === 4_000 ? stalledBody().response : hang());
    await expect(api.extend({ timeout: '2s' }).extend({ timeout }).get('x').text()).rejects.toThrow();
    expect(clock.ticks()).toBe(2 * expected);
  });

  test('extend with a policy value is an error', () => {
    const { api } = clientScene();
    expect(() => api.extend({ breaker: breaker() as never })).toThrow(
      /breaker: \{ name: …, .* is not allowed; it is given to createClient/,
    );
    expect(() => api.get('x', { breaker: breaker() as never })).toThrow(/given to createClient/);
  });

  test('a call can switch policies off', async () => {
    const circuit = breaker();
    const { api, origin } = clientScene({ breaker: circuit });
    circuit.isolate(ORIGIN);
    expect(await api.get('x', { breaker: false }).text()).toBe('ok');
    expect(origin.seen).toHaveLength(1);
  });

  test('the stale cache serves responses through ky, hooks and clones', async () => {
    const { api, origin, clock } = clientScene({
      partition: 'ann',
      staleCache: cachePolicy({}, memoryStore),
      hooks: { afterResponse: [({ response }) => new Response(response.body, response)] },
    });
    origin.replies(json({ n: 1 }));
    expect(await api.get('x').json()).toEqual({ n: 1 });
    await clock.advance(0);
    origin.otherwise(networkError());
    const response = await api.get('x');
    expect(response.headers.get('holdfast-source')).toBe('stale');
    expect(await response.json()).toEqual({ n: 1 });
  });
});

describe('the outbox of the client', () => {
  const queueing = () => {
    const outbox = outboxPolicy({ store: memoryStore() }, memoryStore);
    return { ...clientScene({ partition: 'ann', outbox }), outbox };
  };

  test('the outbox responds with the id of the entry, and the body shortcuts invent nothing', async () => {
    const { api, origin } = queueing();
    origin.otherwise(networkError());
    const response = await api.post('orders', { json: { n: 1 }, outbox: true });
    expect(isQueued(response)).toBe(true);
    const error = await api
      .post('orders', { json: { n: 2 }, outbox: {} })
      .json()
      .catch((thrown) => thrown);
    expect(error).toMatchObject({ name: 'QueuedError', code: 'queued', id: expect.any(String) });
    expect(
      await api.post('orders', { json: { n: 3 }, outbox: { optimisticResult: { optimistic: true } } }).json(),
    ).toEqual({ optimistic: true });
  });

  test('the outbox passes on the response of the origin if there is one', async () => {
    const { api, origin } = queueing();
    origin.replies(json({ id: 7 }, { status: 201 }));
    expect(
      await api.post('orders', { json: { n: 1 }, outbox: { optimisticResult: 'optimistic' } }).json(),
    ).toEqual({
      id: 7,
    });
    expect(origin.seen[0]?.body).toBe('{"n":1}');
  });

  test('outbox: true of a call keeps the lane of the defaults', async () => {
    const { api, host, outbox } = queueing();
    host.connectivity.set(false);
    await api.extend({ outbox: { lane: 'cart' } }).post('orders', { json: 1, outbox: true });
    expect(await outbox.entries({ lane: 'cart' })).toHaveLength(1);
  });

  test('the outbox receives the whole option of a call, functions too', async () => {
    const queue = outboxPolicy({ store: memoryStore() }, memoryStore);
    const { api, host } = clientScene({ partition: 'ann', outbox: queue });
    host.connectivity.set(false);
    const merge = async (earlier: Request, later: Request): Promise<Request> =>
      new Request(later, { body: JSON.stringify([await earlier.json(), await later.json()]) });
    await api.put('doc', { json: 1, outbox: { id: 'a', coalesce: { key: 'doc', merge } } });
    await api.put('doc', { json: 2, outbox: { coalesce: { key: 'doc', merge } } });
    expect(await (await queue.request('a'))?.json()).toEqual([1, 2]);
  });

  test('a write that the origin rejects is ky’s HTTPError, and a dead letter', async () => {
    const { api, origin, outbox } = queueing();
    origin.replies(json({ title: 'no item' }, { status: 422 }));
    const error = await api.post('orders', { json: {}, outbox: true }).catch((thrown) => thrown);
    expect(isHTTPError(error)).toBe(true);
    expect(error.data).toEqual({ title: 'no item' });
    expect(await outbox.entries({ state: 'dead-letter' })).toHaveLength(1);
  });
});

test.each<[object, RegExp]>([
  [{ retry: -1 }, /retry\.limit: -1/],
  [{ retry: { limt: 1 } }, /retry\.limt: 1 is not allowed; unknown option/],
  [{ timeout: '5 s' }, /timeout\.attempt: '5 s' is not allowed; did you mean '5s'\?/],
  [{ breaker: { failures: 'many' } }, /breaker\.failures: 'many'/],
  [{ staleCache: true }, /staleCache: true is not allowed; expected what staleCache\(\) returns/],
  [{ outbox: {} }, /outbox: \{\} is not allowed/],
])('an impossible option throws an error with a reason: %j', (options, message) => {
  expect(() => createClient(options as never)).toThrow(message);
});

test('an HTTP error has the facts of every other error, and the server’s problem details', async () => {
  const { api, origin } = clientScene({ retry: { limit: 1 } });
  const seen: unknown[] = [];
  origin.replies(
    status(503),
    new Response('{"title":"Sold out"}', {
      status: 409,
      headers: { 'content-type': 'application/problem+json' },
    }),
  );
  const hooks = {
    beforeError: [
      ({ error }: { error: Error }) => {
        seen.push((error as Error & { category?: unknown }).category);
        return error;
      },
    ],
  };
  const error = await api.get('x', { hooks }).catch((thrown) => thrown);
  expect(isHTTPError(error)).toBe(true);
  expect(error).toMatchObject({
    code: 'http-409',
    category: 'conflict',
    transient: false,
    origin: ORIGIN,
    attempts: [{ status: 503 }, { status: 409 }],
    problem: { type: 'about:blank', title: 'Sold out' },
  });
  expect(seen).toEqual(['conflict']);
});

test('the client has every method of ky', () => {
  const client = createClient();
  const missing = Object.keys(ky).filter((name) => !(name in client));
  expect(missing).toEqual([]);
});

describe('fetch of one call', () => {
  const mine = (seen: string[]) => async (input: Request | string | URL) => {
    seen.push((input as Request).url);
    return seen.length === 1 ? status(503) : json({ mine: true });
  };

  test.each<[string, (api: Client, fetch: typeof globalThis.fetch) => Promise<unknown>]>([
    ['a call', (api, fetch) => api.get('x', { fetch }).json()],
    ['extend', (api, fetch) => api.extend({ fetch }).get('x').json()],
    [
      'extend with a function',
      (api, fetch) =>
        api
          .extend(() => ({ fetch }))
          .get('x')
          .json(),
    ],
    [
      'create',
      (api, fetch) =>
        api
          .create({ fetch, baseUrl: `${ORIGIN}/v1/` })
          .get('x')
          .json(),
    ],
  ])('%s: fetch is the transport of that call, inside the policies', async (_, read) => {
    const { api, origin } = clientScene();
    const seen: string[] = [];
    expect(await read(api, mine(seen) as typeof fetch)).toEqual({ mine: true });
    expect(seen).toEqual([`${ORIGIN}/v1/x`, `${ORIGIN}/v1/x`]);
    expect(origin.seen).toEqual([]);
    origin.replies(json({ mine: false }));
    expect(await api.get('x').json()).toEqual({ mine: false });
  });

  test('extend of an extended client keeps its fetch', async () => {
    const { api } = clientScene();
    const seen: string[] = [];
    const svelte = api.extend({ fetch: mine(seen) as typeof fetch });
    await svelte.extend((parent) => ({ ...parent, headers: { 'x-more': '1' } })).get('x');
    expect(seen).toHaveLength(2);
  });

  test('dedupe joins no calls with a fetch of their own', async () => {
    const { api, clock } = clientScene({ dedupe: dedupe() });
    const of = (user: string) =>
      (async () => {
        await new Promise<void>((done) => void clock.after(10, done));
        return json(user);
      }) as typeof fetch;
    const read = (user: string) => api.get('x', { fetch: of(user) }).json();
    expect(await Promise.all([read('ann'), read('bob')])).toEqual(['ann', 'bob']);
  });
});

test('an HTTPError that passes through the hook of another call is not changed', async () => {
  const { api, origin } = clientScene({ retry: 0 });
  origin.replies(status(401), status(403));
  const afterResponse = [
    async ({ response }: { response: Response }) => {
      if (response.status === 401) await api.post('refresh');
    },
  ];
  const error = await api.get('x', { hooks: { afterResponse } }).catch((thrown) => thrown);
  expect(isHTTPError(error)).toBe(true);
  expect(error).toMatchObject({ code: 'http-403', attempts: [{ status: 403 }] });
});

test('a response that the schema rejects is a parse error, and 502 for a server that passes it on', async () => {
  const { api, origin } = clientScene();
  origin.replies(json({ wrong: true }));
  const schema = {
    '~standard': { version: 1, vendor: 'mine', validate: () => ({ issues: [{ message: 'no' }] }) },
  } as const;
  const error = await api
    .get('x')
    .json(schema as never)
    .catch((thrown: unknown) => thrown);
  expect(error).toMatchObject({
    name: 'SchemaValidationError',
    code: 'parse',
    category: 'parse',
    attempts: [{ status: 200 }],
  });
  expect(categoryOf(error)).toBe('parse');
  expect(toProblemResponse(error).status).toBe(502);
});

test('undefined in an option of a call changes nothing', async () => {
  const { api, origin } = clientScene({ headers: { 'x-mine': 'yes' }, retry: { limit: 1 } });
  origin.replies(status(503), ok());
  const nothing = Object.fromEntries(
    ['signal', 'json', 'headers', 'searchParams', 'hooks', 'timeout', 'retry', 'fetch', 'body', 'method'].map(
      (name) => [name, undefined],
    ),
  );
  await api.extend({ searchParams: { page: 2 } }).get('x', nothing);
  expect(origin.seen.map(({ method, url }) => [method, url])).toEqual(
    Array(2).fill(['GET', `${ORIGIN}/v1/x?page=2`]),
  );
  expect(origin.seen[0]?.headers.get('x-mine')).toBe('yes');
});

describe('parity with ky', () => {
  const reset = () => {
    throw Object.assign(new TypeError('fetch failed'), {
      cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    });
  };

  test('the smaller of `timeout` and `totalTimeout` counts, wherever each is set', async () => {
    const silent = (request: Request) =>
      new Promise<Response>((_, reject) => {
        request.signal.addEventListener('abort', () => reject(request.signal.reason));
      });
    const api = createClient({ fetch: silent, retry: 0 }).extend({ timeout: 20_000 });
    const error = await api.get('https://api.example.com/', { totalTimeout: 20 }).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: 'TimeoutError' });
    const other = createClient({ fetch: silent, retry: 0 }).extend({ totalTimeout: 20 });
    await expect(other.get('https://api.example.com/', { timeout: 20_000 })).rejects.toMatchObject({
      name: 'TimeoutError',
    });
    await Promise.all([api.close(), other.close()]);
  });

  test('the cause of a network error is the error of the platform', async () => {
    const api = createClient({ fetch: async () => reset(), retry: 0 });
    const error = await api.get('https://api.example.com/').catch((thrown) => thrown);
    expect(isNetworkError(error)).toBe(true);
    expect(error.cause).toMatchObject({ message: 'fetch failed' });
    expect(error.cause.cause).toMatchObject({ code: 'ECONNREFUSED' });
    await api.close();
  });

  test('`shouldRetry` and `beforeRetry` receive a network error of ky', async () => {
    const met: boolean[] = [];
    const api = createClient({
      fetch: async () => reset(),
      retry: {
        limit: 1,
        delay: () => 1,
        shouldRetry({ error }: { error?: unknown }) {
          met.push(isNetworkError(error));
          return true;
        },
      },
      hooks: { beforeRetry: [({ error }) => void met.push(isNetworkError(error))] },
    });
    await api.get('https://api.example.com/').catch(() => {});
    expect(met).toEqual([true, true]);
    await api.close();
  });

  test.each([[true], ['https://api.example.com/'], [[]]])('`create` and `extend` reject %s', (options) => {
    const api = createClient();
    expect(() => api.create(options as never)).toThrow(TypeError);
    expect(() => api.extend(options as never)).toThrow(TypeError);
  });
});
