import ky, {
  type HTTPError,
  isForceRetryError,
  isHTTPError,
  TimeoutError as KyTimeoutError,
  type NormalizedOptions,
  type Progress,
} from 'ky';
import { describe, expect, test } from 'vitest';
import type { ClientOptions, CreateClientOptions } from '../../src/client/ky/options.ts';
import { isFailure } from '../../src/primitives/failure.ts';
import { brokenBody, hang, networkError, ok, slow, stalledBody, status } from '../../src/testing.ts';
import { AS_KY } from '../support/as-ky.ts';
import { clientScene } from '../support/client-scene.ts';
import { ORIGIN } from '../support/scenario.ts';

const failureOf = (promise: Promise<unknown>) =>
  promise.then(
    () => expect.unreachable('it should fail'),
    (error) => error,
  );

/** Never responds, and ignores the abort. */
const never = () => new Promise<never>(() => {});

describe("ky's TimeoutError", () => {
  test.each<[string, CreateClientOptions, ClientOptions, string]>([
    ['timeout', {}, { timeout: 200 }, 'timeout-attempt'],
    ['timeout.total', {}, { timeout: { total: 200, attempt: false } }, 'timeout-total'],
    ['timeout of the client', { timeout: 200 }, {}, 'timeout-attempt'],
  ])(
    'a time limit (%s) throws ky’s TimeoutError, with the facts of the pipeline',
    async (_, options, ofCall, code) => {
      const { api, origin } = clientScene({ retry: 0, ...options });
      origin.otherwise(hang());
      const error = await failureOf(api.get('x', ofCall));
      expect(error).toBeInstanceOf(KyTimeoutError);
      expect(error.request.url).toBe(`${ORIGIN}/v1/x`);
      expect(isFailure(error)).toBe(true);
      expect(error).toMatchObject({ code, category: 'timeout', transient: true, origin: ORIGIN });
    },
  );

  test('shouldRetry and beforeRetry receive ky’s TimeoutError', async () => {
    const met: boolean[] = [];
    const note = ({ error }: { error: Error }): void => {
      met.push(error instanceof KyTimeoutError);
    };
    const { api, origin } = clientScene({
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
    ['a delay of ky.retry()', { afterResponse: [() => ky.retry({ delay: 60_000 })] }],
  ])('totalTimeout bounds %s', async (_, hooks) => {
    const { api } = clientScene();
    const error = await failureOf(api.get('x', { totalTimeout: 40, hooks }));
    expect(error).toBeInstanceOf(KyTimeoutError);
    expect(error).toMatchObject({ code: 'timeout-total', category: 'timeout', transient: true });
  });

  test('totalTimeout bounds parseJson, and the error has the sent request', async () => {
    const { api, origin } = clientScene();
    origin.replies(ok('{}'));
    // In real time: long enough for a response to come on a busy machine.
    const error = await failureOf(api.get('x', { totalTimeout: 800, parseJson: never }).json());
    expect(error).toBeInstanceOf(KyTimeoutError);
    expect(error).toMatchObject({ code: 'timeout-total', attempts: [{ status: 200 }] });
  });

  test('totalTimeout of the client bounds the hooks of a call, and of an extended client', async () => {
    const { api } = clientScene({ totalTimeout: 40 });
    const hooks = { beforeRequest: [never] };
    expect(await failureOf(api.get('x', { hooks }))).toBeInstanceOf(KyTimeoutError);
    expect(await failureOf(api.extend({ hooks }).get('x'))).toBeInstanceOf(KyTimeoutError);
  });

  test('totalTimeout goes on running through ky.retry()', async () => {
    const { api, origin, clock } = clientScene({ retry: 2 });
    let again = 1;
    const afterResponse = [() => (again-- > 0 ? ky.retry({ delay: 0 }) : undefined)];
    origin.replies(slow(clock, 300), hang());
    const error = await failureOf(api.get('x', { totalTimeout: 500, hooks: { afterResponse } }));
    expect(error).toMatchObject({ name: 'TimeoutError', code: 'timeout-total' });
    expect(clock.ticks()).toBe(500);
  });

  test('totalTimeout of 0 sends nothing', async () => {
    const { api, origin } = clientScene();
    expect(await failureOf(api.get('x', { totalTimeout: 0 }))).toBeInstanceOf(KyTimeoutError);
    expect(origin.seen).toEqual([]);
  });

  test('totalTimeout beyond what a timer can wait is a RangeError', async () => {
    const { api } = clientScene();
    expect(await failureOf(api.get('x', { totalTimeout: 2 ** 31 }))).toBeInstanceOf(RangeError);
  });

  test('totalTimeout accepts a duration, and false of a call disables that of the client', async () => {
    const { api, origin, clock } = clientScene({ totalTimeout: '1s', retry: 0 });
    origin.replies(slow(clock, 5_000, () => ok('late')));
    expect(await api.get('x', { totalTimeout: false }).text()).toBe('late');
    origin.replies(hang());
    expect(await failureOf(api.get('x'))).toMatchObject({ code: 'timeout-total' });
  });
});

describe('retryCount and request', () => {
  const OTHER = `${ORIGIN}/other`;

  test('afterResponse and beforeError receive the count of the pipeline’s retries', async () => {
    const seen: unknown[] = [];
    const { api, origin } = clientScene({
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

  test('retryCount counts ky.retry() and the retries of the pipeline together', async () => {
    const seen: unknown[] = [];
    let again = 1;
    const { api, origin } = clientScene({
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

  test('afterResponse and beforeError receive the request that a beforeRetry hook returned', async () => {
    const seen: unknown[] = [];
    const note = ({ request, retryCount }: { request: Request; retryCount: number }) =>
      void seen.push([request.url, retryCount]);
    const { api, origin } = clientScene({
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

  test('the next beforeRetry hook receives the request that the one before returned', async () => {
    const seen: string[] = [];
    const { api, origin } = clientScene({
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

describe('a request that a beforeRetry hook returns', () => {
  test('a request from beforeRetry is sent by all later retries, with its body', async () => {
    let given = 0;
    const { api, origin } = clientScene({
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

  test('beforeRetry may return the request it received, with other headers', async () => {
    const { api, origin } = clientScene({
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

  test('a request from beforeRetry is not repeated if its method may not be', async () => {
    const { api, origin } = clientScene({
      hooks: { beforeRetry: [({ request }) => new Request(request, { method: 'POST' })] },
      retry: 3,
    });
    origin.otherwise(() => status(503));
    await failureOf(api.get('x'));
    expect(origin.seen.map(({ method }) => method)).toEqual(['GET', 'POST']);
  });
});

test('beforeError does not run for an error that a beforeRetry hook throws', async () => {
  const mine = new Error('mine');
  let ran = 0;
  const { api, origin } = clientScene({
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
  const { api, origin } = clientScene({
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
  const { api } = clientScene();
  expect(() => api.get('x', { retry: retry as never })).toThrow(/retry\./);
});

describe('options that hooks receive', () => {
  /** Properties on which a hook may rely. */
  const normal = (options: NormalizedOptions) => ({
    method: options.method,
    header: options.headers.get('x-mine'),
    isFrozen: Object.isFrozen(options),
    own: ['fetch', 'hooks', 'json'].filter((name) => name in options),
  });

  test('beforeRetry, shouldRetry and the error receive normalized options', async () => {
    const seen: unknown[] = [];
    const { api, origin } = clientScene({
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

  test('an error shows the `retry` of the caller', async () => {
    const { api, origin } = clientScene({ retry: { limit: 1, statusCodes: [503] } });
    origin.otherwise(() => status(404));
    const error = await failureOf(api.get('x', { retry: { methods: ['get'] } }));
    expect(error.options.retry).toMatchObject({ methods: ['get'], statusCodes: [503] });
  });
});

test('stringifyJson receives the very value of `json`', async () => {
  const value = { item: 'tea' };
  const seen: unknown[] = [];
  const { api } = clientScene({ stringifyJson: (given: unknown) => `${seen.push(given)}` });
  await api.post('x', { json: value });
  expect(seen[0]).toBe(value);
});

test('the `retry` lists of a call are added to those of the client', async () => {
  const { api, origin } = clientScene({ retry: { limit: 1, statusCodes: [503] } });
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
  ])('timeout %s bounds a body that trickles in a shortcut', async (_, options, ofCall, init) => {
    const seen: string[] = [];
    const beforeError = [({ error }: { error: Error }) => (seen.push(error.name) ? error : error)];
    const { api, origin, clock } = clientScene({ retry: 0, hooks: { beforeError }, ...options } as never);
    origin.otherwise(() => trickle(clock, init));
    const error = await failureOf(api.get('x', ofCall).text());
    expect(error).toBeInstanceOf(KyTimeoutError);
    expect(error).toMatchObject({ category: 'timeout', attempts: [{ status: 200 }] });
    expect(clock.ticks()).toBeLessThanOrEqual(300);
    expect(seen).toEqual(['TimeoutError']);
  });

  test('timeout bounds a body that stalls in a shortcut', async () => {
    const { api, origin, clock } = clientScene({ retry: 0 });
    origin.otherwise(() => stalledBody().response);
    expect(await failureOf(api.get('x', { timeout: 200 }).text())).toBeInstanceOf(KyTimeoutError);
    expect(clock.ticks()).toBe(200);
  });

  test.each(['text', 'itself'])(
    'timeout bounds the body of an HTTPError, which then has no data: %s',
    async (read) => {
      const { api, origin, clock } = clientScene({ retry: 0 });
      origin.otherwise(() => new Response(stalledBody().response.body, { status: 404 }));
      const response = api.get('x', { timeout: 200 });
      const error = await failureOf(read === 'text' ? response.text() : response);
      expect(isHTTPError(error)).toBe(true);
      expect(error.data).toBeUndefined();
      expect(clock.ticks()).toBe(200);
    },
  );

  test('timeout bounds a body alike when the wall clock is set while the response is awaited', async () => {
    const { api, origin, clock } = clientScene({ retry: 0, timeout: 200 });
    for (const jump of [3_600_000, -3_600_000]) {
      origin.replies(
        slow(clock, 100, () => {
          clock.jump(jump);
          return trickle(clock, { headers: { 'content-type': 'text/event-stream' } });
        }),
      );
      const began = clock.ticks();
      await failureOf(api.get('x').text());
      expect(clock.ticks() - began).toBe(300);
    }
  });

  test('timeout does not bound a response that is streamed', async () => {
    const { api, origin, clock } = clientScene();
    origin.otherwise(() => trickle(clock));
    const reader = ((await api.get('x', { timeout: 200 })).body as ReadableStream).getReader();
    for (let chunk = 0; chunk < 10; chunk++) await reader.read();
    expect(clock.ticks()).toBe(500);
    await reader.cancel();
  });
});

describe('a custom fetch', () => {
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
  ])('a time limit %s aborts the signal of the request that a custom fetch receives', async (_, given) => {
    const aborted: unknown[] = [];
    const [options, ofCall] = given(silent(aborted) as never);
    const { api } = clientScene({ retry: 0, timeout: 200, ...options } as never);
    expect(await failureOf(api.post('x', { json: 1, ...ofCall }))).toBeInstanceOf(KyTimeoutError);
    expect(aborted).toEqual([`${ORIGIN}/v1/x`]);
  });

  test('a custom fetch receives the body of each attempt in its request', async () => {
    const bodies: string[] = [];
    const fetch = async (request: Request) => {
      bodies.push(await request.text());
      return bodies.length === 1 ? status(503) : ok();
    };
    const { api } = clientScene({ fetch });
    await api.put('x', { json: [1] });
    expect(bodies).toEqual(['[1]', '[1]']);
  });
});

describe('onUploadProgress', () => {
  const streams = (() => {
    let isRead = false;
    const init = {
      method: 'POST',
      body: new ReadableStream(),
      get duplex() {
        isRead = true;
        return 'half';
      },
    };
    return !new Request(ORIGIN, init).headers.has('content-type') && isRead;
  })();

  (streams ? test : test.skip).each([
    ['of the client', true],
    ['of a call', false],
  ])('%s: reports each attempt, with the size of what was given', async (_, isClients) => {
    const seen: unknown[] = [];
    const onUploadProgress = ({ percent, transferredBytes, totalBytes }: Progress) =>
      void seen.push([percent, transferredBytes, totalBytes]);
    const { api, origin } = clientScene(isClients ? { onUploadProgress } : {});
    origin.replies(status(503), ok());
    await api.put('x', { json: 'é', ...(!isClients && { onUploadProgress }) });
    expect(seen).toEqual([
      [1, 4, 4],
      [1, 4, 4],
    ]);
    expect(origin.seen.map(({ body }) => body)).toEqual(['"é"', '"é"']);
  });

  test('onUploadProgress that is no function throws at once', () => {
    const { api } = clientScene();
    expect(() => api.post('x', { body: 'a', onUploadProgress: 'yes' as never })).toThrow(TypeError);
  });
});

test('a beforeRetry hook may return a request of another realm', async () => {
  const foreign = new Proxy(new Request(`${ORIGIN}/other`), {
    get: (target, name) => (name === Symbol.toStringTag ? 'Request' : Reflect.get(target, name, target)),
    getPrototypeOf: () => Object.prototype,
  });
  const { api, origin } = clientScene({ hooks: { beforeRetry: [() => foreign] } });
  origin.replies(status(503), ok('other'));
  expect(await api.get('x').text()).toBe('other');
  expect(origin.seen[1]?.url).toBe(`${ORIGIN}/other`);
});

describe('the wait that an origin requests', () => {
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
  ])('a 429 delays the retry by its headers: %s', async (_, headers, expected) => {
    const { api, origin, clock } = clientScene({ retry: { limit: 1, jitter: 'none' } });
    origin.replies(status(429, headers), ok());
    await api.get('x');
    expect(clock.slept[0]).toBe(expected);
  });

  test('the wait of a 429 is cut to maxRetryAfter', async () => {
    const { api, origin, clock } = clientScene({ retry: { limit: 1, jitter: 'none', maxRetryAfter: 420 } });
    origin.replies(status(429, { 'retry-after': '5' }), ok());
    await api.get('x');
    expect(clock.slept[0]).toBe(420);
  });

  test('a 413 whose Retry-After cannot be read waits for the backoff', async () => {
    const { api, origin, clock } = clientScene({ retry: { limit: 1, jitter: 'none' } });
    origin.replies(status(413, { 'retry-after': 'soon' }), ok('again'));
    expect(await api.get('x').text()).toBe('again');
    expect(clock.slept[0]).toBe(300);
  });
});

test.each([
  [true, 2],
  [undefined, 1],
])('a TimeoutError of a custom fetch is retried by retryOnTimeout: %s', async (retryOnTimeout, sent) => {
  let calls = 0;
  const fetch = async (request: Request) => {
    calls++;
    throw new KyTimeoutError(request);
  };
  const { api } = clientScene({ fetch, retry: { limit: 1, retryOnTimeout } as never });
  expect(await failureOf(api.get('x'))).toBeInstanceOf(KyTimeoutError);
  expect(calls).toBe(sent);
});

describe('with the options object of docs/ky.md', () => {
  const asKy = () => clientScene(AS_KY as never);

  test('the options of docs/ky.md repeat twice in an outage, after 0.3 and 0.6 s', async () => {
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
  ])('the options of docs/ky.md wait as ky after %i %j', async (code, headers, expected) => {
    const { api, origin, clock } = asKy();
    origin.replies(status(code, headers), ok());
    await api.get('x').catch(() => {});
    expect(clock.ticks()).toBe(expected);
  });

  test('the options of docs/ky.md repeat no timeout and no body that breaks', async () => {
    const { api, origin, clock } = asKy();
    origin.replies(ok(), hang());
    await api.get('x');
    expect(await failureOf(api.get('x'))).toBeInstanceOf(KyTimeoutError);
    expect(clock.ticks()).toBe(10_000);
    origin.replies(brokenBody());
    await failureOf(api.get('x').text());
    expect(origin.seen).toHaveLength(3);
  });

  test('the options of docs/ky.md wait as long as ky for a body', async () => {
    const { api, origin, clock } = asKy();
    origin.replies(stalledBody().response);
    expect(await failureOf(api.get('x').text())).toBeInstanceOf(KyTimeoutError);
    expect(clock.ticks()).toBe(10_000);
  });
});

test('the signal of a request that a beforeRequest hook returns aborts the call, as in ky', async () => {
  const controller = new AbortController();
  const beforeRequest = [
    ({ request }: { request: Request }) => new Request(request, { signal: controller.signal }),
  ];
  const { api, origin } = clientScene({ retry: 0, timeout: false, hooks: { beforeRequest } });
  origin.otherwise(() => {
    controller.abort(new Error('the page is left'));
    return never();
  });
  await expect(api.get('x')).rejects.toThrow('the page is left');
});

test('a hook may call again with the options that it was given', async () => {
  const afterResponse: NonNullable<ClientOptions['hooks']>['afterResponse'] = [
    ({ request, options, response }) =>
      response.status === 401
        ? api(new Request(request, { headers: { authorization: 'new' } }), options as ClientOptions)
        : undefined,
  ];
  const { api, origin } = clientScene({ hooks: { afterResponse } });
  origin.replies(status(401), networkError(), networkError(), ok('fine'));
  expect(await api.post('x', { json: 1, retry: { limit: 3, methods: ['post'] } }).text()).toBe('fine');
  expect(origin.seen.map(({ body, headers }) => [body, headers.get('authorization')])).toEqual([
    ['1', null],
    ['1', 'new'],
    ['1', 'new'],
    ['1', 'new'],
  ]);
  origin.replies(status(401), hang());
  expect(await failureOf(api.get('x', { timeout: 200, retry: 0 }))).toMatchObject({
    code: 'timeout-attempt',
  });
});
