import ky, {
  type HTTPError,
  isForceRetryError,
  isHTTPError,
  TimeoutError as KyTimeoutError,
  type NormalizedOptions,
  type Progress,
} from 'ky';
import { afterEach, describe, expect, test } from 'vitest';
import { type Client, createClient } from '../../src/client/ky/client.ts';
import type { ClientOptions, CreateClientOptions } from '../../src/client/ky/options.ts';
import { isFailure } from '../../src/primitives/failure.ts';
import {
  brokenBody,
  hang,
  networkError,
  ok,
  scriptedOrigin,
  slow,
  stalledBody,
  status,
  testHost,
  virtualClock,
} from '../../src/testing/index.ts';
import { AS_KY } from '../support/as-ky.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN } from '../support/scenario.ts';

const clients: Client[] = [];
afterEach(async () => {
  for (const client of clients.splice(0)) await client.close();
});

function scene(options: Partial<CreateClientOptions> = {}) {
  const host = testHost({ clock: virtualClock({ quiet }) });
  const origin = scriptedOrigin(host.clock);
  const api = createClient({
    baseUrl: `${ORIGIN}/v1/`,
    host,
    fetch: origin.fetch,
    ...options,
  } as CreateClientOptions);
  clients.push(api);
  return { api, origin, clock: host.clock };
}

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it should fail'),
    (error) => error,
  );

/** Does not answer, and hears no abort. */
const never = () => new Promise<never>(() => {});

describe("ky's TimeoutError", () => {
  test.each<[string, CreateClientOptions, ClientOptions, string]>([
    ['timeout', {}, { timeout: 200 }, 'timeout-attempt'],
    ['timeout.total', {}, { timeout: { total: 200, attempt: false } }, 'timeout-total'],
    ['timeout of the client', { timeout: 200 }, {}, 'timeout-attempt'],
  ])('a time limit (%s) is an instance of it, with our facts', async (_, options, ofCall, code) => {
    const { api, origin } = scene({ retry: 0, ...options });
    origin.otherwise(hang());
    const error = await failureOf(api.get('x', ofCall));
    expect(error).toBeInstanceOf(KyTimeoutError);
    expect(error.request.url).toBe(`${ORIGIN}/v1/x`);
    expect(isFailure(error)).toBe(true);
    expect(error).toMatchObject({ code, category: 'timeout', transient: true, origin: ORIGIN });
  });

  test('shouldRetry and beforeRetry get it', async () => {
    const met: boolean[] = [];
    const note = ({ error }: { error: Error }): void => {
      met.push(error instanceof KyTimeoutError);
    };
    const { api, origin } = scene({
      timeout: 200,
      retry: { limit: 1, shouldRetry: (given: never) => note(given) ?? true },
      hooks: { beforeRetry: [note] },
    } as never);
    origin.replies(hang(), ok('second'));
    expect(await api.get('x').text()).toBe('second');
    expect(met).toEqual([true, true]);
  });
});

describe('totalTimeout', () => {
  test.each<[string, object]>([
    ['a beforeRequest hook', { beforeRequest: [never] }],
    ['an afterResponse hook', { afterResponse: [never] }],
    ['the delay of ky.retry()', { afterResponse: [() => ky.retry({ delay: 60_000 })] }],
  ])('bounds %s', async (_, hooks) => {
    const { api } = scene();
    const error = await failureOf(api.get('x', { totalTimeout: 40, hooks }));
    expect(error).toBeInstanceOf(KyTimeoutError);
    expect(error).toMatchObject({ code: 'timeout-total', category: 'timeout', transient: true });
  });

  test('bounds parseJson, and says what was sent', async () => {
    const { api, origin } = scene();
    origin.replies(ok('{}'));
    // In real time: long enough for a response to come on a busy machine.
    const error = await failureOf(api.get('x', { totalTimeout: 800, parseJson: never }).json());
    expect(error).toBeInstanceOf(KyTimeoutError);
    expect(error).toMatchObject({ code: 'timeout-total', attempts: [{ status: 200 }] });
  });

  test('of the client bounds hooks of a call, and of an extended client', async () => {
    const { api } = scene({ totalTimeout: 40 });
    const hooks = { beforeRequest: [never] };
    expect(await failureOf(api.get('x', { hooks }))).toBeInstanceOf(KyTimeoutError);
    expect(await failureOf(api.extend({ hooks }).get('x'))).toBeInstanceOf(KyTimeoutError);
  });

  test('goes on running through ky.retry()', async () => {
    const { api, origin, clock } = scene({ retry: 2 });
    let again = 1;
    const afterResponse = [() => (again-- > 0 ? ky.retry({ delay: 0 }) : undefined)];
    origin.replies(slow(clock, 300), hang());
    const error = await failureOf(api.get('x', { totalTimeout: 500, hooks: { afterResponse } }));
    expect(error).toMatchObject({ name: 'TimeoutError', code: 'timeout-total' });
    expect(clock.ticks()).toBe(500);
  });

  test('of 0 sends nothing', async () => {
    const { api, origin } = scene();
    expect(await failureOf(api.get('x', { totalTimeout: 0 }))).toBeInstanceOf(KyTimeoutError);
    expect(origin.seen).toEqual([]);
  });

  test('beyond what a timer can wait is a RangeError', async () => {
    const { api } = scene();
    expect(await failureOf(api.get('x', { totalTimeout: 2 ** 31 }))).toBeInstanceOf(RangeError);
  });

  test('as a duration, and false of a call over that of the client', async () => {
    const { api, origin, clock } = scene({ totalTimeout: '1s', retry: 0 });
    origin.replies(slow(clock, 5_000, () => ok('late')));
    expect(await api.get('x', { totalTimeout: false }).text()).toBe('late');
    origin.replies(hang());
    expect(await failureOf(api.get('x'))).toMatchObject({ code: 'timeout-total' });
  });
});

describe('retryCount and request', () => {
  const OTHER = `${ORIGIN}/other`;

  test('of afterResponse and beforeError count the retries of the pipeline', async () => {
    const seen: unknown[] = [];
    const { api, origin } = scene({
      hooks: {
        afterResponse: [({ retryCount }) => void seen.push(['afterResponse', retryCount])],
        beforeError: [
          ({ error, retryCount }) => {
            seen.push(['beforeError', retryCount]);
            return error;
          },
        ],
      },
    });
    origin.replies(status(503), status(503), ok());
    await api.get('x');
    origin.otherwise(networkError());
    await failureOf(api.get('y', { retry: 1 }));
    expect(seen).toEqual([
      ['afterResponse', 2],
      ['beforeError', 1],
    ]);
  });

  test('count ky.retry() and the retries of the pipeline together', async () => {
    const seen: unknown[] = [];
    let again = 1;
    const { api, origin } = scene({
      hooks: {
        beforeRetry: [({ error, retryCount }) => void seen.push([isForceRetryError(error), retryCount])],
        afterResponse: [
          ({ retryCount }) => {
            seen.push(retryCount);
            return again-- > 0 ? ky.retry({ delay: 0 }) : undefined;
          },
        ],
      },
      retry: { limit: 3 },
    });
    origin.replies(status(503), ok(), status(503), ok());
    await api.get('x');
    expect(seen).toEqual([[false, 1], 1, [true, 2], [false, 3], 3]);
  });

  test('are of the request that a beforeRetry hook gave', async () => {
    const seen: unknown[] = [];
    const note = ({ request, retryCount }: { request: Request; retryCount: number }) =>
      void seen.push([request.url, retryCount]);
    const { api, origin } = scene({
      hooks: {
        beforeRetry: [() => new Request(OTHER)],
        afterResponse: [note],
        beforeError: [
          (given) => {
            note(given);
            return given.error;
          },
        ],
      },
      retry: 1,
    });
    origin.replies(status(503), status(404));
    const error = await failureOf(api.get('x'));
    expect(error.request.url).toBe(OTHER);
    origin.replies(status(503), networkError());
    expect((await failureOf(api.get('x'))).request.url).toBe(OTHER);
    expect(seen).toEqual([
      [OTHER, 1],
      [OTHER, 1],
      [OTHER, 1],
    ]);
  });

  test('the next beforeRetry hook gets the request that the one before gave', async () => {
    const seen: string[] = [];
    const { api, origin } = scene({
      hooks: {
        beforeRetry: [
          ({ request }) => {
            seen.push(request.url);
            return new Request(`${OTHER}/${seen.length}`);
          },
        ],
      },
    });
    origin.replies(status(503), status(503), ok());
    await api.get('x');
    expect(seen).toEqual([`${ORIGIN}/v1/x`, `${OTHER}/1`]);
  });
});

describe('a request that a beforeRetry hook gives', () => {
  test('is sent by the retries to come, with its body', async () => {
    let given = 0;
    const { api, origin } = scene({
      hooks: {
        beforeRetry: [
          ({ request }) => {
            if (given++ === 0) return new Request(request, { headers: { 'x-mine': 'yes' } });
          },
        ],
      },
    });
    origin.replies(status(503), status(503), ok());
    await api.put('x', { json: [1] });
    expect(origin.seen.map(({ headers, body }) => [headers.get('x-mine'), body])).toEqual([
      [null, '[1]'],
      ['yes', '[1]'],
      ['yes', '[1]'],
    ]);
  });

  test('may be the one it got, with other headers', async () => {
    const { api, origin } = scene({
      hooks: {
        beforeRetry: [({ request, retryCount }) => request.headers.append('x-mine', `${retryCount}`)],
      },
    });
    origin.replies(status(503), status(503), ok(), status(503), status(503));
    await api.put('x', { json: [1] });
    await api.get('x');
    const seen = origin.seen.map(({ headers }) => headers.get('x-mine'));
    expect(seen).toEqual([null, '1', '1, 2', null, '1', '1, 2']);
  });

  test('is not repeated if its method may not be', async () => {
    const { api, origin } = scene({
      hooks: { beforeRetry: [({ request }) => new Request(request, { method: 'POST' })] },
      retry: 3,
    });
    origin.otherwise(() => status(503));
    await failureOf(api.get('x'));
    expect(origin.seen.map(({ method }) => method)).toEqual(['GET', 'POST']);
  });
});

test('beforeError does not run for what a beforeRetry hook threw', async () => {
  const mine = new Error('mine');
  let ran = 0;
  const { api, origin } = scene({
    hooks: {
      beforeRetry: [
        () => {
          throw mine;
        },
      ],
      beforeError: [
        ({ error }) => {
          ran++;
          return error;
        },
      ],
    },
  });
  origin.otherwise(() => status(503));
  expect(await failureOf(api.get('x'))).toBe(mine);
  expect(ran).toBe(0);
});

test('beforeError runs for a failure that a beforeRetry hook throws again', async () => {
  const seen: string[] = [];
  const { api, origin } = scene({
    hooks: {
      beforeRetry: [
        ({ error }) => {
          throw error;
        },
      ],
      beforeError: [
        ({ error }) => {
          seen.push(error.name);
          return error;
        },
      ],
    },
  });
  origin.otherwise(() => status(503));
  expect(isHTTPError(await failureOf(api.get('x')))).toBe(true);
  expect(seen).toEqual(['HTTPError']);
});

test.each<[object]>([
  [{ methods: 'get' }],
  [{ statusCodes: 503 }],
  [{ afterStatusCodes: 'all' }],
  [{ limit: -1 }],
  [{ backoffLimit: 'long' }],
])('a wrong retry option of a call throws at once: %j', (retry) => {
  const { api } = scene();
  expect(() => api.get('x', { retry: retry as never })).toThrow(/retry\./);
});

describe('options', () => {
  /** What a hook may rely on. */
  const normal = (options: NormalizedOptions) => ({
    method: options.method,
    header: options.headers.get('x-mine'),
    isFrozen: Object.isFrozen(options),
    own: ['fetch', 'hooks', 'json'].filter((name) => name in options),
  });

  test('of beforeRetry, shouldRetry and the error are normalized', async () => {
    const seen: unknown[] = [];
    const { api, origin } = scene({
      headers: { 'x-mine': 'yes' },
      retry: {
        limit: 1,
        methods: ['post'],
        shouldRetry: ({ error }: { error: Error }) => {
          seen.push(normal((error as HTTPError).options));
          return true;
        },
      } as never,
      hooks: {
        beforeRetry: [({ options }) => void seen.push(normal(options))],
        afterResponse: [({ options }) => void seen.push(normal(options))],
      },
    });
    origin.otherwise(() => status(503));
    const error = await failureOf(api.post('x', { json: 1 }));
    const expected = { method: 'POST', header: 'yes', isFrozen: true, own: [] };
    expect([...seen, normal(error.options)]).toEqual(Array(4).fill(expected));
  });

  test('of an error show the `retry` of the caller', async () => {
    const { api, origin } = scene({ retry: { limit: 1, statusCodes: [503] } });
    origin.otherwise(() => status(404));
    const error = await failureOf(api.get('x', { retry: { methods: ['get'] } }));
    expect(error.options.retry).toMatchObject({ methods: ['get'], statusCodes: [503] });
  });
});

test('stringifyJson gets the very value of `json`', async () => {
  const value = { item: 'tea' };
  const seen: unknown[] = [];
  const { api } = scene({ stringifyJson: (given: unknown) => `${seen.push(given)}` });
  await api.post('x', { json: value });
  expect(seen[0]).toBe(value);
});

test('the `retry` lists of a call are added to those of the client', async () => {
  const { api, origin } = scene({ retry: { limit: 1, statusCodes: [503] } });
  origin.otherwise(() => status(503));
  await failureOf(api.get('x', { retry: { statusCodes: [418] } }));
  expect(origin.seen).toHaveLength(2);
});

describe('timeout, with nothing else in it, bounds the body in the shortcuts', () => {
  /** Sends a byte every 50 ms, for ever; 1 MB and more of it at first if it is large. */
  const trickle = (
    clock: { after(ms: number, task: () => void): () => void },
    init: ResponseInit & { large?: boolean } = {},
  ) => {
    let cancel = (): void => {};
    const body = new ReadableStream({
      start(controller) {
        if (init.large) controller.enqueue(new Uint8Array(1_100_000));
      },
      pull: (controller) =>
        new Promise<void>((resolve) => {
          cancel = clock.after(50, () => {
            controller.enqueue(new Uint8Array([0x31]));
            resolve();
          });
        }),
      cancel: () => cancel(),
    });
    return new Response(body, init);
  };

  test.each<[string, CreateClientOptions, ClientOptions, object]>([
    ['of a call', {}, { timeout: 200 }, {}],
    ['of the client', { timeout: '200ms' }, {}, {}],
    ['of the client, a large body', { timeout: 200 }, {}, { large: true }],
    ["with until: 'headers'", { timeout: 200, retry: { limit: 0, until: 'headers' } }, {}, {}],
  ])('%s: a body that trickles', async (_, options, ofCall, init) => {
    const seen: string[] = [];
    const beforeError = [({ error }: { error: Error }) => (seen.push(error.name) ? error : error)];
    const { api, origin, clock } = scene({ retry: 0, hooks: { beforeError }, ...options } as never);
    origin.otherwise(() => trickle(clock, init));
    const error = await failureOf(api.get('x', ofCall).text());
    expect(error).toBeInstanceOf(KyTimeoutError);
    expect(error).toMatchObject({ category: 'timeout', attempts: [{ status: 200 }] });
    expect(clock.ticks()).toBeLessThanOrEqual(300);
    expect(seen).toEqual(['TimeoutError']);
  });

  test('a body that stalls', async () => {
    const { api, origin, clock } = scene({ retry: 0 });
    origin.otherwise(() => stalledBody().response);
    expect(await failureOf(api.get('x', { timeout: 200 }).text())).toBeInstanceOf(KyTimeoutError);
    expect(clock.ticks()).toBe(200);
  });

  test.each(['text', 'itself'])('%s: the body of an HTTPError that stalls gives no data', async (read) => {
    const { api, origin, clock } = scene({ retry: 0 });
    origin.otherwise(() => new Response(stalledBody().response.body, { status: 404 }));
    const response = api.get('x', { timeout: 200 });
    const error = await failureOf(read === 'text' ? response.text() : response);
    expect(isHTTPError(error)).toBe(true);
    expect(error.data).toBeUndefined();
    expect(clock.ticks()).toBe(200);
  });

  test('and not a response that is streamed', async () => {
    const { api, origin, clock } = scene();
    origin.otherwise(() => trickle(clock));
    const reader = ((await api.get('x', { timeout: 200 })).body as ReadableStream).getReader();
    for (let chunk = 0; chunk < 10; chunk++) await reader.read();
    expect(clock.ticks()).toBe(500);
    await reader.cancel();
  });
});

describe('a fetch of the application’s own', () => {
  /** As an application writes it for ky: it looks only at the request. */
  const silent = (aborted: unknown[]) => (request: Request) =>
    new Promise<Response>((_, reject) => {
      request.signal.addEventListener('abort', () => {
        aborted.push(request.url);
        reject(request.signal.reason);
      });
    });

  test.each<[string, (fetch: typeof globalThis.fetch) => [CreateClientOptions, ClientOptions]]>([
    ['of the client', (fetch) => [{ fetch: fetch as never }, {}]],
    ['of a call', (fetch) => [{}, { fetch }]],
  ])('%s: a time limit aborts the signal of its request', async (_, given) => {
    const aborted: unknown[] = [];
    const [options, ofCall] = given(silent(aborted) as never);
    const { api } = scene({ retry: 0, timeout: 200, ...options } as never);
    expect(await failureOf(api.post('x', { json: 1, ...ofCall }))).toBeInstanceOf(KyTimeoutError);
    expect(aborted).toEqual([`${ORIGIN}/v1/x`]);
  });

  test('gets the body of each attempt in its request', async () => {
    const bodies: string[] = [];
    const fetch = async (request: Request) => {
      bodies.push(await request.text());
      return bodies.length === 1 ? status(503) : ok();
    };
    const { api } = scene({ fetch });
    await api.put('x', { json: [1] });
    expect(bodies).toEqual(['[1]', '[1]']);
  });
});

describe('onUploadProgress', () => {
  const streams = (() => {
    let isAsked = false;
    const init = {
      method: 'POST',
      body: new ReadableStream(),
      get duplex() {
        isAsked = true;
        return 'half';
      },
    };
    return !new Request(ORIGIN, init).headers.has('content-type') && isAsked;
  })();

  (streams ? test : test.skip).each([
    ['of the client', true],
    ['of a call', false],
  ])('%s: reports each attempt, with the size of what was given', async (_, isClients) => {
    const seen: unknown[] = [];
    const onUploadProgress = ({ percent, transferredBytes, totalBytes }: Progress) =>
      void seen.push([percent, transferredBytes, totalBytes]);
    const { api, origin } = scene(isClients ? { onUploadProgress } : {});
    origin.replies(status(503), ok());
    await api.put('x', { json: 'é', ...(!isClients && { onUploadProgress }) });
    expect(seen).toEqual([
      [1, 4, 4],
      [1, 4, 4],
    ]);
    expect(origin.seen.map(({ body }) => body)).toEqual(['"é"', '"é"']);
  });

  test('that is no function throws at once', () => {
    const { api } = scene();
    expect(() => api.post('x', { body: 'a', onUploadProgress: 'yes' as never })).toThrow(TypeError);
  });
});

test('a beforeRetry hook may give a request of another realm', async () => {
  const foreign = new Proxy(new Request(`${ORIGIN}/other`), {
    get: (target, name) => (name === Symbol.toStringTag ? 'Request' : Reflect.get(target, name, target)),
    getPrototypeOf: () => Object.prototype,
  });
  const { api, origin } = scene({ hooks: { beforeRetry: [() => foreign] } });
  origin.replies(status(503), ok('other'));
  expect(await api.get('x').text()).toBe('other');
  expect(origin.seen[1]?.url).toBe(`${ORIGIN}/other`);
});

describe('the wait that an origin asks for', () => {
  test.each<[string, Record<string, string>, number]>([
    ['RateLimit-Reset without -Remaining', { 'ratelimit-reset': '7' }, 7_000],
    ['X-RateLimit-Retry-After', { 'x-ratelimit-retry-after': '8' }, 8_000],
    ['X-Rate-Limit-Reset', { 'x-rate-limit-reset': '9' }, 9_000],
    ['Retry-After before the others', { 'retry-after': '2', 'ratelimit-reset': '7' }, 2_000],
    [
      'no other field beside a Retry-After that cannot be read',
      { 'retry-after': 'soon', 'ratelimit-reset': '7' },
      300,
    ],
  ])('of a 429 is heard: %s', async (_, headers, expected) => {
    const { api, origin, clock } = scene({ retry: { limit: 1, jitter: 'none' } });
    origin.replies(status(429, headers), ok());
    await api.get('x');
    expect(clock.slept[0]).toBe(expected);
  });

  test('is cut to a maxRetryAfter that the caller names', async () => {
    const { api, origin, clock } = scene({ retry: { limit: 1, jitter: 'none', maxRetryAfter: 420 } });
    origin.replies(status(429, { 'retry-after': '5' }), ok());
    await api.get('x');
    expect(clock.slept[0]).toBe(420);
  });

  test('of a 413 that cannot be read is the backoff', async () => {
    const { api, origin, clock } = scene({ retry: { limit: 1, jitter: 'none' } });
    origin.replies(status(413, { 'retry-after': 'soon' }), ok('again'));
    expect(await api.get('x').text()).toBe('again');
    expect(clock.slept[0]).toBe(300);
  });
});

test.each([
  [true, 2],
  [undefined, 1],
])('a TimeoutError of a custom fetch, retryOnTimeout: %s', async (retryOnTimeout, sent) => {
  let calls = 0;
  const fetch = async (request: Request) => {
    calls++;
    throw new KyTimeoutError(request);
  };
  const { api } = scene({ fetch, retry: { limit: 1, retryOnTimeout } as never });
  expect(await failureOf(api.get('x'))).toBeInstanceOf(KyTimeoutError);
  expect(calls).toBe(sent);
});

describe('with the options object of docs/ky.md', () => {
  const asKy = () => scene(AS_KY as never);

  test('repeats twice, after 0.3 and 0.6 s, in an outage, too', async () => {
    const { api, origin, clock } = asKy();
    origin.otherwise(networkError());
    for (let call = 0; call < 5; call++) await failureOf(api.get('x'));
    expect(origin.seen).toHaveLength(15);
    expect(clock.slept).toEqual(Array(5).fill([300, 600]).flat());
  });

  test.each<[number, Record<string, string>, number]>([
    [503, { 'retry-after': '3600' }, 3_600_000],
    [500, { 'retry-after': '5' }, 300],
    [425, {}, 0],
  ])('waits after %i %j as ky', async (code, headers, expected) => {
    const { api, origin, clock } = asKy();
    origin.replies(status(code, headers), ok());
    await api.get('x').catch(() => {});
    expect(clock.ticks()).toBe(expected);
  });

  test('does not repeat what ran out of time, or a body that breaks', async () => {
    const { api, origin, clock } = asKy();
    origin.replies(ok(), hang());
    await api.get('x');
    expect(await failureOf(api.get('x'))).toBeInstanceOf(KyTimeoutError);
    expect(clock.ticks()).toBe(10_000);
    origin.replies(brokenBody());
    await failureOf(api.get('x').text());
    expect(origin.seen).toHaveLength(3);
  });

  test('waits as long as ky for a body', async () => {
    const { api, origin, clock } = asKy();
    origin.replies(stalledBody().response);
    expect(await failureOf(api.get('x').text())).toBeInstanceOf(KyTimeoutError);
    expect(clock.ticks()).toBe(10_000);
  });
});
