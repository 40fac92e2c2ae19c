import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../src/core/outcome.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { totalTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { hang, networkError, ok, type Step, stalledBody, status } from '../../src/testing/index.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/prices`;

const outcome = (answer: Promise<Response>): Promise<unknown> =>
  answer.then(
    (response) => response.text(),
    (error) => error,
  );

describe('a final failure is answered', () => {
  test.each<[string, () => Step, unknown]>([
    ['a network error', networkError, { code: 'network' }],
    ['a time limit', hang, { code: 'timeout-total' }],
    ['500', () => status(500), 500],
    ['429', () => status(429), 429],
  ])('%s: with a value', async (_, how, cause) => {
    const scene = scenario([fallback({ prices: [] }), totalTimeout()]);
    scene.origin.replies(how());
    const answer = await scene.fetch(URL_);
    expect(answer).toMatchObject({ status: 200, ok: true, url: URL_ });
    expect(answer.headers.get('content-type')).toBe('application/json');
    expect(sourceOf(answer)).toBe('fallback');
    expect(sourceOf(answer.clone())).toBe('fallback');
    expect(await answer.json()).toEqual({ prices: [] });
    expect(scene.told('fallback')).toMatchObject([{ origin: ORIGIN, cause }]);
    expect(scene.told('call-ended')).toMatchObject([{ status: 200, source: 'fallback' }]);
    expect(scene.clock.pending).toBe(0);
  });

  test('with a response, as often as need be', async () => {
    const own = new Response('closed', { status: 203, headers: { 'x-own': 'yes' } });
    const scene = scenario([fallback(own)]);
    scene.origin.otherwise(status(503));
    for (const answer of await Promise.all([1, 2, 3].map(() => scene.fetch(URL_)))) {
      expect([answer.status, answer.headers.get('x-own'), sourceOf(answer)]).toEqual([
        203,
        'yes',
        'fallback',
      ]);
      expect(await answer.text()).toBe('closed');
    }
    expect(await (await scene.fetch(URL_)).text()).toBe('closed');
  });

  test.each([null, 0, '', false, 'text', [1]])('with a value such as %j', async (value) => {
    const scene = scenario([fallback(value)]);
    scene.origin.replies(networkError());
    expect(await (await scene.fetch(URL_)).json()).toEqual(value);
  });

  test('with what a function makes of the error', async () => {
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
    expect(started).toEqual({ code: 'network', url: URL_, callId: scene.told('call-started')[0]?.callId });
  });

  test('with what a function makes of the answer', async () => {
    const scene = scenario([
      fallback(
        async (error, { response }) => new Response(`${error} ${await response?.text()}`, { status: 206 }),
      ),
    ]);
    scene.origin.replies(status(503));
    const answer = await scene.fetch(URL_);
    expect([answer.status, await answer.text(), sourceOf(answer)]).toEqual([
      206,
      'undefined status 503',
      'fallback',
    ]);
  });

  test('with the body of the failed answer itself', async () => {
    const scene = scenario([fallback((_, { response }) => new Response(response?.body, { status: 200 }))]);
    scene.origin.replies(status(503));
    expect(await outcome(scene.fetch(URL_))).toBe('status 503');
  });

  test('with a body only where the method has one', async () => {
    const scene = scenario([fallback({ a: 1 })]);
    scene.origin.replies(networkError());
    const answer = await scene.fetch(URL_, { method: 'HEAD' });
    expect([answer.status, answer.body]).toEqual([200, null]);
  });

  test('and the failed answer’s body is given up', async () => {
    for (const answer of [{}, () => ({}), () => ok('other')]) {
      const { response, cancelled } = stalledBody();
      const scene = scenario([fallback(answer)]);
      scene.origin.replies(new Response(response.body, { status: 503 }));
      await outcome(scene.fetch(URL_));
      expect(cancelled()).toBe(true);
    }
  });

  test('with what the call itself says', async () => {
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

describe('stands as it is', () => {
  test.each([200, 204, 304, 400, 401, 404, 408])('an answer with %i', async (code) => {
    const scene = scenario([fallback('own')]);
    scene.origin.replies(status(code));
    const answer = await scene.fetch(URL_);
    expect([answer.status, sourceOf(answer)]).toEqual([code, 'network']);
  });

  test('the failure of a write', async () => {
    const scene = scenario([fallback('own')]);
    for (const method of ['POST', 'PUT', 'PATCH', 'DELETE']) {
      scene.origin.replies(networkError());
      expect(await outcome(scene.fetch(URL_, { method }))).toMatchObject({ code: 'network' });
    }
  });

  test('but for methods that are named', async () => {
    const scene = scenario([fallback('own', { methods: ['post'] })]);
    scene.origin.otherwise(networkError());
    expect(await outcome(scene.fetch(URL_, { method: 'POST', body: 'q' }))).toBe('"own"');
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
  });

  test('the caller’s abort, with its own reason, and nobody is asked', async () => {
    let asked = 0;
    const scene = scenario([fallback(() => ++asked)]);
    scene.origin.replies(hang());
    const controller = new AbortController();
    const reason = new TypeError('enough');
    const answer = outcome(scene.fetch(URL_, { signal: controller.signal }));
    controller.abort(reason);
    expect(await answer).toBe(reason);
    expect(asked).toBe(0);
  });

  test('a mistake of configuration, and a closed pipeline', async () => {
    const scene = scenario([fallback('own')]);
    scene.origin.replies(new ConfigurationError('x', 1, 'no'), hang());
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'configuration' });
    const answer = outcome(scene.fetch(URL_));
    await scene.fetch.close();
    expect(await answer).toMatchObject({ code: 'closed' });
  });

  test('what a function has no answer for, read by it or not', async () => {
    const scene = scenario([fallback(async (_, { response }) => void (await response?.text()))]);
    scene.origin.replies(status(503), networkError());
    expect(await outcome(scene.fetch(URL_))).toBe('status 503');
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
    expect(scene.told('fallback')).toEqual([]);
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
  ])('a failure whose function %s, and the event tells', async (_, answer) => {
    const scene = scenario([fallback(answer)]);
    scene.origin.replies(networkError(), status(503));
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
    expect(await outcome(scene.fetch(URL_))).toBe('status 503');
    expect(scene.told('fallback-failed').map(({ error }) => error)).toEqual([failed, failed]);
  });

  test('a failure whose function gives what cannot be an answer', async () => {
    const scene = scenario([fallback(() => 1n)]);
    scene.origin.replies(networkError());
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network' });
  });

  test('a failure whose function never settles: after 10 s, or when the caller leaves', async () => {
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
  [Response.error(), {}, /fallback: .* is not allowed; expected a Response that can be read/],
  [1, { methods: 'GET' }, /fallback\.methods: 'GET' is not allowed; expected a list/],
  [1, { method: [] }, /fallback\.method: .* is not allowed; unknown option/],
])('what cannot be meant is refused with a reason: %#', (answer, options, message) => {
  expect(() => fallback(answer as never, options as never)).toThrow(ConfigurationError);
  expect(() => fallback(answer as never, options as never)).toThrow(message);
});
