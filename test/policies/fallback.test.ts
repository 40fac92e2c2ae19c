import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../src/core/outcome.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { totalTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { hang, networkError, ok, type Step, stalledBody, status } from '../../src/testing.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/prices`;

const outcome = (promise: Promise<Response>): Promise<unknown> =>
  promise.then(
    (response) => response.text(),
    (error) => error,
  );

describe('the fallback of a failed call', () => {
  test.each<[string, () => Step, unknown]>([
    ['a network error', networkError, { code: 'network' }],
    ['a timeout', hang, { code: 'timeout-total' }],
    ['500', () => status(500), 500],
    ['429', () => status(429), 429],
  ])('a failed call gets a value as its response: %s', async (_, how, cause) => {
    const scene = scenario([fallback({ prices: [] }), totalTimeout()]);
    scene.origin.replies(how());
    const response = await scene.fetch(URL_);
    expect(response).toMatchObject({ status: 200, ok: true, url: URL_ });
    expect(response.headers.get('content-type')).toBe('application/json');
    expect(sourceOf(response)).toBe('fallback');
    expect(sourceOf(response.clone())).toBe('fallback');
    expect(await response.json()).toEqual({ prices: [] });
    expect(scene.emitted('fallback')).toMatchObject([{ origin: ORIGIN, cause }]);
    expect(scene.emitted('call-ended')).toMatchObject([{ status: 200, source: 'fallback' }]);
    expect(scene.clock.pending).toBe(0);
  });

  test('any number of failed calls get a Response as their response', async () => {
    const own = new Response('closed', { status: 203, headers: { 'x-own': 'yes' } });
    const scene = scenario([fallback(own)]);
    scene.origin.otherwise(status(503));
    for (const response of await Promise.all([1, 2, 3].map(() => scene.fetch(URL_)))) {
      expect([response.status, response.headers.get('x-own'), sourceOf(response)]).toEqual([
        203,
        'yes',
        'fallback',
      ]);
      expect(await response.text()).toBe('closed');
    }
    expect(await (await scene.fetch(URL_)).text()).toBe('closed');
  });

  test.each([null, 0, '', false, 'text', [1]])('a failed call gets the value %j', async (value) => {
    const scene = scenario([fallback(value)]);
    scene.origin.replies(networkError());
    expect(await (await scene.fetch(URL_)).json()).toEqual(value);
  });

  test('a function makes the response from the error', async () => {
    // cockatiel hides the error from it.
    const scene = scenario([
      fallback((error, { request, callId, response }) => ({
        code: (error as { code: string }).code,
        url: request.url,
        callId,
        response,
      })),
    ]);
    scene.origin.replies(networkError());
    const [started] = [await (await scene.fetch(URL_)).json()];
    expect(started).toEqual({ code: 'network', url: URL_, callId: scene.emitted('call-started')[0]?.callId });
  });

  test('a function makes the response from the failed response', async () => {
    const scene = scenario([
      fallback(
        async (error, { response }) => new Response(`${error} ${await response?.text()}`, { status: 206 }),
      ),
    ]);
    scene.origin.replies(status(503));
    const response = await scene.fetch(URL_);
    expect([response.status, await response.text(), sourceOf(response)]).toEqual([
      206,
      'undefined status 503',
      'fallback',
    ]);
  });

  test('a function may pass on the body of the failed response', async () => {
    const scene = scenario([fallback((_, { response }) => new Response(response?.body, { status: 200 }))]);
    scene.origin.replies(status(503));
    expect(await outcome(scene.fetch(URL_))).toBe('status 503');
  });

  test('a fallback has a body only if the method has one', async () => {
    const scene = scenario([fallback({ a: 1 })]);
    scene.origin.replies(networkError());
    const response = await scene.fetch(URL_, { method: 'HEAD' });
    expect([response.status, response.body]).toEqual([200, null]);
  });

  test('a fallback cancels the body of the failed response', async () => {
    for (const instead of [{}, () => ({}), () => ok('other')]) {
      const { response, cancelled } = stalledBody();
      const scene = scenario([fallback(instead)]);
      scene.origin.replies(new Response(response.body, { status: 503 }));
      await outcome(scene.fetch(URL_));
      expect(cancelled()).toBe(true);
    }
  });

  test('a response that a function made for a HEAD has its body cancelled', async () => {
    const { response, cancelled } = stalledBody();
    const scene = scenario([fallback(() => response)]);
    scene.origin.replies(networkError());
    expect((await scene.fetch(URL_, { method: 'HEAD' })).body).toBe(null);
    expect(cancelled()).toBe(true);
  });

  test('the fallback option of a call replaces that of the pipeline', async () => {
    const scene = scenario([fallback('for all')]);
    scene.origin.otherwise(networkError());
    const own = (value: unknown): Promise<unknown> =>
      outcome(scene.fetch(URL_, { holdfast: { fallback: value } }));
    expect(await own({ with: 'own' })).toBe('"own"');
    expect(await own({ with: () => undefined })).toMatchObject({ code: 'network' });
    expect(await own(true)).toBe('"for all"');
    expect(await own(false)).toMatchObject({ code: 'network' });
    expect(await own({ With: 1 })).toMatchObject({ code: 'configuration' });
  });
});

describe('outcomes without a fallback', () => {
  test.each([200, 204, 304, 400, 401, 404, 408])('a response with %i has no fallback', async (code) => {
    const scene = scenario([fallback('own')]);
    scene.origin.replies(status(code));
    const response = await scene.fetch(URL_);
    expect([response.status, sourceOf(response)]).toEqual([code, 'network']);
  });

  test('a failed write has no fallback', async () => {
    const scene = scenario([fallback('own')]);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      scene.origin.replies(networkError());
      expect(await outcome(scene.fetch(URL_, { method }))).toMatchObject({ code: 'network' });
    }
  });

  test('a failed call has a fallback if `methods` has its method, a write too', async () => {
    const scene = scenario([fallback('own', { methods: ['post'] })]);
    scene.origin.otherwise(networkError());
    expect(await outcome(scene.fetch(URL_, { method: 'POST', body: 'q' }))).toBe('"own"');
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
  });

  test('the caller’s abort has no fallback, and no function is called', async () => {
    let calls = 0;
    const scene = scenario([fallback(() => ++calls)]);
    scene.origin.replies(hang());
    const controller = new AbortController();
    const reason = new TypeError('enough');
    const promise = outcome(scene.fetch(URL_, { signal: controller.signal }));
    controller.abort(reason);
    expect(await promise).toBe(reason);
    expect(calls).toBe(0);
  });

  test('a configuration error and a closed pipeline have no fallback', async () => {
    const scene = scenario([fallback('own')]);
    scene.origin.replies(new ConfigurationError('x', 1, 'no'), hang());
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'configuration' });
    const promise = outcome(scene.fetch(URL_));
    await scene.fetch.close();
    expect(await promise).toMatchObject({ code: 'closed' });
  });

  test('a failure stays if the function returns undefined, whether it read the response or not', async () => {
    const scene = scenario([fallback(async (_, { response }) => void (await response?.text()))]);
    scene.origin.replies(status(503), networkError());
    expect(await outcome(scene.fetch(URL_))).toBe('status 503');
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
    expect(scene.emitted('fallback')).toEqual([]);
  });

  const failed = new Error('of the function');

  test.each<[string, () => unknown]>([
    [
      'throws',
      () => {
        throw failed;
      },
    ],
    ['rejects', () => Promise.reject(failed)],
  ])('a failure stays if the function %s, and fallback-failed is emitted', async (_, instead) => {
    const scene = scenario([fallback(instead)]);
    scene.origin.replies(networkError(), status(503));
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
    expect(await outcome(scene.fetch(URL_))).toBe('status 503');
    expect(scene.emitted('fallback-failed').map(({ error }) => error)).toEqual([failed, failed]);
  });

  test('a failure stays if the function returns what cannot be a response', async () => {
    const scene = scenario([fallback(() => 1n)]);
    scene.origin.replies(networkError());
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
  });

  test('a failure stays if the function never settles: after 10 s, or when the caller aborts', async () => {
    const scene = scenario([fallback(() => new Promise(() => {}))]);
    scene.origin.otherwise(networkError());
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
    expect(scene.clock.ticks()).toBe(10_000);
    const controller = new AbortController();
    scene.clock.after(1_000, () => controller.abort('enough'));
    expect(await outcome(scene.fetch(URL_, { signal: controller.signal }))).toBe('enough');
    expect(scene.clock.ticks()).toBe(11_000);
    expect(scene.clock.pending).toBe(0);
  });
});

const circle: Record<string, unknown> = {};
circle.self = circle;

test.each([
  [undefined, {}, /fallback: undefined is not allowed; expected a Response, a function, or a value/],
  [1n, {}, /fallback: 1 is not allowed; expected a Response/],
  [circle, {}, /fallback: \{ self: … \} is not allowed; expected a Response/],
  [new Map([['a', 1]]), {}, /fallback: .* is not allowed; expected a Response/],
  [Promise.resolve({}), {}, /fallback: .* is not allowed; expected a Response/],
  [new Blob(['a']), {}, /fallback: .* is not allowed; expected a Response/],
  [Response.error(), {}, /fallback: .* is not allowed; expected a Response that can be read/],
  [1, { methods: 'GET' }, /fallback\.methods: 'GET' is not allowed; expected a list/],
  [1, { method: [] }, /fallback\.method: .* is not allowed; unknown option/],
])('an impossible fallback throws an error with a reason: %#', (instead, options, message) => {
  expect(() => fallback(instead as never, options as never)).toThrow(ConfigurationError);
  expect(() => fallback(instead as never, options as never)).toThrow(message);
});
