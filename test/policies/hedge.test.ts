import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/core/contract.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import { macrotask, networkError, ok, type Step, slow, stalledBody, status } from '../../src/testing.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders?page=2`;
const OTHER = 'https://other.example.com';

/** Not in Bun and in Workers, which have no cookies. */
const KEEPS_CREDENTIALS = new Request(ORIGIN, { credentials: 'omit' }).credentials === 'omit';

const outcome = (promise: Promise<Response>): Promise<unknown> =>
  promise.then(
    (response) => response.text(),
    (error) => error,
  );

/** Responds after `ms`; `aborted` returns the reason of its request's abort. */
function timed(
  { clock }: Scenario,
  ms: number,
  response: () => Response,
): { step: Step; aborted: () => unknown } {
  let reason: unknown;
  const respond = slow(clock, ms, response) as (request: Request, signal: AbortSignal) => Promise<Response>;
  const step: Step = (request, signal) => {
    signal.addEventListener('abort', () => {
      reason = signal.reason;
    });
    return respond(request, signal);
  };
  return { step, aborted: () => reason };
}

const fails = ({ clock }: Scenario, ms: number, error = networkError()): Step =>
  slow(clock, ms, () => Promise.reject(error) as never);

describe('a silent first attempt', () => {
  test('hedge sends a second attempt, and returns the first good response', async () => {
    const scene = scenario([hedge({ delay: '100ms' })]);
    const first = timed(scene, 1_000, () => ok('first'));
    scene.origin.replies(
      first.step,
      slow(scene.clock, 50, () => ok('second')),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('second');
    expect(scene.clock.ticks()).toBe(150);
    expect(scene.origin.seen.map(({ method, url, at }) => [method, url, at])).toEqual([
      ['GET', URL_, 0],
      ['GET', URL_, 100],
    ]);
    expect(first.aborted()).toMatchObject({ name: 'AbortError' });
    expect(scene.clock.pending).toBe(0);
  });

  test('the hedge event and the attempts show which one won', async () => {
    const scene = scenario([retry(), hedge({ delay: 100 })]);
    scene.origin.replies(slow(scene.clock, 1_000), slow(scene.clock, 50));
    await outcome(scene.fetch(URL_));
    await macrotask();
    const [ended] = scene.emitted('call-ended');
    expect(scene.emitted('hedge')).toEqual([
      { type: 'hedge', callId: ended?.callId, origin: ORIGIN, attempt: 1.5, delay: 100, to: ORIGIN },
    ]);
    expect(ended?.attempts.map((each) => [each.attempt, each.status ?? each.error])).toEqual([
      [1.5, 200],
      [1, 'AbortError'],
    ]);
  });

  test('the first attempt may still win, and the second is aborted', async () => {
    const scene = scenario([hedge({ delay: 100 }), attemptTimeout()]);
    const second = timed(scene, 1_000, () => ok('second'));
    scene.origin.replies(
      slow(scene.clock, 150, () => ok('first')),
      second.step,
    );
    expect(await outcome(scene.fetch(URL_))).toBe('first');
    expect(second.aborted()).toMatchObject({ name: 'AbortError' });
    expect(scene.clock.pending).toBe(0);
  });

  test('a losing response has its body cancelled', async () => {
    const { response, cancelled } = stalledBody();
    let late = (): void => {};
    const deaf: Policy = (next) => (request, call) =>
      call.attempt === 1
        ? new Promise((resolve) => {
            late = () => resolve(response);
          })
        : next(request, call);
    const scene = scenario([hedge({ delay: 100 }), deaf]);
    expect(await outcome(scene.fetch(URL_))).toBe('ok');
    late();
    await macrotask();
    expect(cancelled()).toBe(true);
  });

  test.each([500, 503, 429])('a second attempt that ends with %i does not win', async (code) => {
    const scene = scenario([hedge({ delay: 100 })]);
    const { response, cancelled } = stalledBody();
    const bad = new Response(response.body, { status: code });
    scene.origin.replies(
      slow(scene.clock, 1_000, () => ok('first')),
      slow(scene.clock, 50, () => bad),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('first');
    expect(scene.clock.ticks()).toBe(1_000);
    expect(cancelled()).toBe(true);
  });

  test('a second attempt that ends with a network error does not win', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(
      slow(scene.clock, 1_000, () => ok('first')),
      fails(scene, 50),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('first');
  });

  test('a first attempt that fails later leaves the call to the second', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(
      fails(scene, 200),
      slow(scene.clock, 500, () => ok('second')),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('second');
  });

  test('a response such as 404 is good', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(
      slow(scene.clock, 1_000),
      slow(scene.clock, 50, () => status(404)),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('status 404');
  });
});

describe('two failed attempts', () => {
  // ffetch returns a response whose body has been aborted.
  test('two 503: hedge returns the response of the first attempt, and its body can be read', async () => {
    const scene = scenario([hedge({ delay: 100 }), attemptTimeout()]);
    const { response, cancelled } = stalledBody();
    scene.origin.replies(
      slow(scene.clock, 200, () => new Response('first', { status: 503 })),
      slow(scene.clock, 50, () => new Response(response.body, { status: 503 })),
    );
    const result = await scene.fetch(URL_);
    expect([result.status, await result.text()]).toEqual([503, 'first']);
    expect(cancelled()).toBe(true);
    expect(scene.clock.pending).toBe(0);
  });

  test('two errors: hedge throws the error of the first attempt', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(fails(scene, 500, networkError('first')), fails(scene, 50, networkError('second')));
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network', message: 'first' });
  });
});

describe('the caller’s abort and hedge', () => {
  test('an abort ends both attempts with the caller’s reason', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    const attempts = [1, 2].map(() => timed(scene, 10_000, () => ok()));
    scene.origin.replies(...attempts.map(({ step }) => step));
    const controller = new AbortController();
    const reason = new Error('enough');
    scene.clock.after(500, () => controller.abort(reason));
    expect(await outcome(scene.fetch(URL_, { signal: controller.signal }))).toBe(reason);
    expect(attempts.map(({ aborted }) => aborted())).toEqual([reason, reason]);
    expect(scene.clock.pending).toBe(0);
  });

  test('an end of the call cancels a bad response that hedge has kept', async () => {
    const scene = scenario([totalTimeout('1s'), hedge({ delay: 100 })]);
    const { response, cancelled } = stalledBody();
    scene.origin.replies(
      slow(scene.clock, 200, () => new Response(response.body, { status: 503 })),
      slow(scene.clock, 60_000),
    );
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ name: 'TimeoutError' });
    expect(cancelled()).toBe(true);
    expect(scene.clock.pending).toBe(0);
  });

  test.each<[string, (abort: () => void) => [Parameters<typeof hedge>[0], { onEvent?: () => void }]]>([
    ['a listener of the event', (abort) => [{}, { onEvent: abort }]],
    [
      'the function that names the origin',
      (abort) => [
        {
          origins(own) {
            abort();
            return own;
          },
        },
        {},
      ],
    ],
  ])('hedge sends no second attempt if the call is aborted by %s', async (_, make) => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const abort = (): void => {
      if (scene.clock.ticks() === 100) controller.abort(reason);
    };
    const [options, pipelineOptions] = make(abort);
    const scene = scenario([hedge({ delay: 100, ...options })], pipelineOptions);
    scene.origin.otherwise(slow(scene.clock, 1_000));
    expect(await outcome(scene.fetch(URL_, { signal: controller.signal }))).toBe(reason);
    await macrotask();
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  test('an abort works through the body of the winner', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    const { response } = stalledBody();
    let signal: AbortSignal | undefined;
    scene.origin.replies((_, given) => {
      signal = given;
      return response;
    });
    const controller = new AbortController();
    const won = await scene.fetch(URL_, { signal: controller.signal });
    const read = won.text().catch((error) => error);
    await macrotask();
    controller.abort('enough');
    expect(await read).toBe('enough');
    expect(signal?.reason).toBe('enough');
  });
});

describe('no second attempt', () => {
  test.each<[string, Step, unknown]>([
    ['503', status(503), 'status 503'],
    ['a network error', networkError(), expect.objectContaining({ code: 'network' })],
    ['a response', ok('first'), 'first'],
  ])('hedge sends no second attempt if the first ends before the delay: %s', async (_, step, end) => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(step);
    expect(await outcome(scene.fetch(URL_))).toEqual(end);
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  test.each<[string, () => Policy]>([
    ['a slot', () => bulkhead({ limit: 1 })],
    ['its turn', () => rateLimit({ rate: 1, per: '3s' })],
  ])('a failure of the first is not kept back while the second waits for %s', async (_, limiting) => {
    const scene = scenario([hedge({ delay: 100 }), limiting()]);
    scene.origin.replies(slow(scene.clock, 200, () => status(503)));
    expect(await outcome(scene.fetch(URL_))).toBe('status 503');
    expect(scene.clock.ticks()).toBe(200);
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('hedge sends no second attempt for %s', async (method) => {
    const scene = scenario([hedge({ delay: 100, share: 1 })]);
    scene.origin.replies(slow(scene.clock, 1_000));
    await outcome(scene.fetch(URL_, { method, headers: { 'idempotency-key': 'k' } }));
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('hedge: false sends no second attempt', async () => {
    const scene = scenario([hedge({ delay: 100, share: 1 })]);
    scene.origin.replies(slow(scene.clock, 1_000));
    await outcome(scene.fetch(URL_, { holdfast: { hedge: false } }));
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('hedge sends no second attempt before 20 responses; later its delay is their 95th percentile', async () => {
    const scene = scenario([hedge({ share: 1 })]);
    for (let n = 1; n <= 20; n++) {
      scene.origin.replies(slow(scene.clock, n * 10));
      await outcome(scene.fetch(URL_));
    }
    expect(scene.emitted('hedge')).toEqual([]);
    scene.origin.replies(
      slow(scene.clock, 60_000),
      slow(scene.clock, 10, () => ok('second')),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('second');
    expect(scene.emitted('hedge')).toMatchObject([{ delay: 190 }]);
  });

  test('the delay of hedge follows the last 100 responses', async () => {
    const scene = scenario([hedge({ share: 1 })]);
    scene.origin.otherwise(slow(scene.clock, 10));
    for (let n = 0; n < 20; n++) await outcome(scene.fetch(URL_));
    scene.origin.otherwise(slow(scene.clock, 300));
    for (let n = 0; n < 100; n++) await outcome(scene.fetch(URL_));
    const delays = scene.emitted('hedge').map(({ delay }) => delay);
    expect([delays[0], delays.at(-1)]).toEqual([10, 300]);
  });

  test('hedge sends second attempts for a twentieth of the calls at most, beyond the first', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.otherwise(slow(scene.clock, 200));
    for (let n = 0; n < 400; n++) await outcome(scene.fetch(URL_));
    expect(scene.emitted('hedge')).toHaveLength(21);
  });

  test('hedge sends no second attempt at all with a share of 0', async () => {
    const scene = scenario([hedge({ delay: 100, share: 0 })]);
    scene.origin.otherwise(slow(scene.clock, 200));
    await outcome(scene.fetch(URL_));
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('hedge saves up five second attempts at most, also for many calls at once', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    for (let n = 0; n < 400; n++) await outcome(scene.fetch(URL_));
    scene.origin.otherwise(slow(scene.clock, 200));
    await Promise.all(Array.from({ length: 19 }, () => outcome(scene.fetch(URL_))));
    expect(scene.emitted('hedge')).toHaveLength(5);
  });
});

describe('hedge to another origin', () => {
  const credentials: RequestInit = {
    headers: { authorization: 'secret', cookie: 'secret', 'proxy-authorization': 'secret', 'x-own': 'yes' },
    credentials: 'include',
  };
  const named = ['authorization', 'proxy-authorization', 'x-own'];

  async function hedged(options: Parameters<typeof hedge>[0], url = URL_): Promise<Request[]> {
    const scene = scenario([hedge({ delay: 100, ...options })]);
    const requests: Request[] = [];
    const step = (ms: number): Step => {
      const respond = slow(scene.clock, ms) as (request: Request, signal: AbortSignal) => Promise<Response>;
      return (request, signal) => {
        requests.push(request);
        return respond(request, signal);
      };
    };
    scene.origin.replies(step(1_000), step(10));
    await outcome(scene.fetch(url, credentials));
    return requests;
  }

  test('a second attempt to another origin has the same path, and no credentials', async () => {
    const [first, second] = await hedged({ origins: [ORIGIN, OTHER] });
    expect(first?.headers.get('authorization')).toBe('secret');
    expect(second?.url).toBe(`${OTHER}/orders?page=2`);
    expect(named.map((name) => second?.headers.get(name))).toEqual([null, null, 'yes']);
    expect(second?.headers.has('cookie')).toBe(false);
    if (KEEPS_CREDENTIALS) expect(second?.credentials).not.toBe('include');
  });

  test('a second attempt has credentials if its origin is in credentialsFor', async () => {
    const [first, second] = await hedged({ origins: [ORIGIN, OTHER], credentialsFor: [OTHER] });
    // Browsers let no script set Proxy-Authorization.
    expect([...(second?.headers ?? [])]).toEqual([...(first?.headers ?? [])]);
    expect(second?.headers.get('authorization')).toBe('secret');
    expect(second?.credentials).toBe(first?.credentials);
  });

  test('a function may name the other origin', async () => {
    expect((await hedged({ origins: () => OTHER }))[1]?.url).toBe(`${OTHER}/orders?page=2`);
    expect((await hedged({ origins: () => undefined }))[1]?.url).toBe(URL_);
  });

  test.each<[string, () => string]>([
    ['that throws', () => JSON.parse('{')],
    ['that returns no origin', () => `${OTHER}/v2`],
  ])('the first attempt goes on alone with a function %s', async (_, origins) => {
    expect(await hedged({ origins })).toHaveLength(1);
  });

  test('a URL whose origin is not in the list stays with its origin', async () => {
    const url = 'https://elsewhere.example.com/';
    expect((await hedged({ origins: [ORIGIN, OTHER] }, url))[1]?.url).toBe(url);
  });
});

test.each([
  [{ delay: '1 s' }, /hedge\.delay: '1 s' is not allowed; did you mean '1s'/],
  [{ share: 5 }, /hedge\.share: 5 is not allowed; expected a number from 0 to 1/],
  [{ origins: [ORIGIN] }, /hedge\.origins: .* is not allowed; expected at least two origins/],
  [
    { origins: [ORIGIN, `${ORIGIN}/`] },
    /hedge\.origins: .* is not allowed; expected at least two origins, each once/,
  ],
  [
    { origins: [ORIGIN, `${OTHER}/v2`] },
    /hedge\.origins: 'https:.*v2' is not allowed; expected an origin such as/,
  ],
  [{ credentialsFor: ['other.example.com'] }, /hedge\.credentialsFor: 'other.example.com' is not allowed/],
  [{ limit: 2 }, /hedge\.limit: 2 is not allowed; unknown option/],
])('an impossible hedge option throws an error with a reason: %j', (options, message) => {
  expect(() => hedge(options as never)).toThrow(ConfigurationError);
  expect(() => hedge(options as never)).toThrow(message);
});
