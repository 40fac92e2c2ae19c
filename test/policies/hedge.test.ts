import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/core/contract.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError } from '../../src/primitives/failure.ts';
import {
  macrotask,
  networkError,
  ok,
  type Step,
  slow,
  stalledBody,
  status,
} from '../../src/testing/index.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders?page=2`;
const OTHER = 'https://other.example.com';

/** Not in Bun and in Workers, which have no cookies. */
const KEEPS_CREDENTIALS = new Request(ORIGIN, { credentials: 'omit' }).credentials === 'omit';

const outcome = (answer: Promise<Response>): Promise<unknown> =>
  answer.then(
    (response) => response.text(),
    (error) => error,
  );

/** Answers after `ms`, with text that names it; tells why its request was given up. */
function timed(
  { clock }: Scenario,
  ms: number,
  response: () => Response,
): { step: Step; aborted: () => unknown } {
  let reason: unknown;
  const answer = slow(clock, ms, response) as (request: Request, signal: AbortSignal) => Promise<Response>;
  const step: Step = (request, signal) => {
    signal.addEventListener('abort', () => {
      reason = signal.reason;
    });
    return answer(request, signal);
  };
  return { step, aborted: () => reason };
}

const fails = ({ clock }: Scenario, ms: number, error = networkError()): Step =>
  slow(clock, ms, () => Promise.reject(error) as never);

describe('when the first attempt is silent', () => {
  test('a second one is sent, and the first good answer is given', async () => {
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

  test('it tells, and the attempts can be told apart', async () => {
    const scene = scenario([retry(), hedge({ delay: 100 })]);
    scene.origin.replies(slow(scene.clock, 1_000), slow(scene.clock, 50));
    await outcome(scene.fetch(URL_));
    await macrotask();
    const [ended] = scene.told('call-ended');
    expect(scene.told('hedge')).toEqual([
      { type: 'hedge', callId: ended?.callId, origin: ORIGIN, attempt: 1.5, delay: 100, to: ORIGIN },
    ]);
    expect(ended?.attempts.map((each) => [each.attempt, each.status ?? each.error])).toEqual([
      [1.5, 200],
      [1, 'AbortError'],
    ]);
  });

  test('the first may still win, and the second is given up', async () => {
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

  test('a loser that answers all the same has its body cancelled', async () => {
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

  test.each([500, 503, 429])('a second that ends with %i does not win', async (code) => {
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

  test('nor one that ends with a network error', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(
      slow(scene.clock, 1_000, () => ok('first')),
      fails(scene, 50),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('first');
  });

  test('a first that fails then leaves it to the second', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(
      fails(scene, 200),
      slow(scene.clock, 500, () => ok('second')),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('second');
  });

  test('an answer such as 404 is good', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(
      slow(scene.clock, 1_000),
      slow(scene.clock, 50, () => status(404)),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('status 404');
  });
});

describe('when both fail', () => {
  // ffetch gives an answer whose body has been aborted.
  test('all 503: the first’s answer is given, and its body can be read', async () => {
    const scene = scenario([hedge({ delay: 100 }), attemptTimeout()]);
    const { response, cancelled } = stalledBody();
    scene.origin.replies(
      slow(scene.clock, 200, () => new Response('first', { status: 503 })),
      slow(scene.clock, 50, () => new Response(response.body, { status: 503 })),
    );
    const answer = await scene.fetch(URL_);
    expect([answer.status, await answer.text()]).toEqual([503, 'first']);
    expect(cancelled()).toBe(true);
    expect(scene.clock.pending).toBe(0);
  });

  test('the first’s error is given', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(fails(scene, 500, networkError('first')), fails(scene, 50, networkError('second')));
    expect(await outcome(scene.fetch(URL_))).toMatchObject({ code: 'network', message: 'first' });
  });
});

describe('the caller’s abort', () => {
  test('ends both attempts with its own reason', async () => {
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

  test('gives up a bad answer that was kept for the end', async () => {
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

  test('works through the body of the winner', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    const { response } = stalledBody();
    let signal: AbortSignal | undefined;
    scene.origin.replies((_, given) => {
      signal = given;
      return response;
    });
    const controller = new AbortController();
    const answer = await scene.fetch(URL_, { signal: controller.signal });
    const read = answer.text().catch((error) => error);
    await macrotask();
    controller.abort('enough');
    expect(await read).toBe('enough');
    expect(signal?.reason).toBe('enough');
  });
});

describe('there is no second attempt', () => {
  test.each<[string, Step, unknown]>([
    ['503', status(503), 'status 503'],
    ['a network error', networkError(), expect.objectContaining({ code: 'network' })],
    ['an answer', ok('first'), 'first'],
  ])('when the first ends before the delay: %s', async (_, step, end) => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.replies(step);
    expect(await outcome(scene.fetch(URL_))).toEqual(end);
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  test.each(['POST', 'PUT', 'DELETE', 'PATCH'])('for %s', async (method) => {
    const scene = scenario([hedge({ delay: 100, share: 1 })]);
    scene.origin.replies(slow(scene.clock, 1_000));
    await outcome(scene.fetch(URL_, { method, headers: { 'idempotency-key': 'k' } }));
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('where the call says no', async () => {
    const scene = scenario([hedge({ delay: 100, share: 1 })]);
    scene.origin.replies(slow(scene.clock, 1_000));
    await outcome(scene.fetch(URL_, { holdfast: { hedge: false } }));
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('until 20 answers have told what is usual; then after the 95th percentile', async () => {
    const scene = scenario([hedge({ share: 1 })]);
    for (let n = 1; n <= 20; n++) {
      scene.origin.replies(slow(scene.clock, n * 10));
      await outcome(scene.fetch(URL_));
    }
    expect(scene.told('hedge')).toEqual([]);
    scene.origin.replies(
      slow(scene.clock, 60_000),
      slow(scene.clock, 10, () => ok('second')),
    );
    expect(await outcome(scene.fetch(URL_))).toBe('second');
    expect(scene.told('hedge')).toMatchObject([{ delay: 190 }]);
  });

  test('for more than a twentieth of the calls, beyond the first', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    scene.origin.otherwise(slow(scene.clock, 200));
    for (let n = 0; n < 400; n++) await outcome(scene.fetch(URL_));
    expect(scene.told('hedge')).toHaveLength(21);
  });

  test('for more than five saved up, also all at once', async () => {
    const scene = scenario([hedge({ delay: 100 })]);
    for (let n = 0; n < 400; n++) await outcome(scene.fetch(URL_));
    scene.origin.otherwise(slow(scene.clock, 200));
    await Promise.all(Array.from({ length: 19 }, () => outcome(scene.fetch(URL_))));
    expect(scene.told('hedge')).toHaveLength(5);
  });
});

describe('another origin', () => {
  const credentials: RequestInit = {
    headers: { authorization: 'secret', cookie: 'secret', 'proxy-authorization': 'secret', 'x-own': 'yes' },
    credentials: 'include',
  };
  const named = ['authorization', 'proxy-authorization', 'x-own'];

  async function hedged(options: Parameters<typeof hedge>[0], url = URL_): Promise<Request[]> {
    const scene = scenario([hedge({ delay: 100, ...options })]);
    const requests: Request[] = [];
    const step = (ms: number): Step => {
      const answer = slow(scene.clock, ms) as (request: Request, signal: AbortSignal) => Promise<Response>;
      return (request, signal) => {
        requests.push(request);
        return answer(request, signal);
      };
    };
    scene.origin.replies(step(1_000), step(10));
    await outcome(scene.fetch(url, credentials));
    return requests;
  }

  test('is asked for the same path, without credentials', async () => {
    const [first, second] = await hedged({ origins: [ORIGIN, OTHER] });
    expect(first?.headers.get('authorization')).toBe('secret');
    expect(second?.url).toBe(`${OTHER}/orders?page=2`);
    expect(named.map((name) => second?.headers.get(name))).toEqual([null, null, 'yes']);
    expect(second?.headers.has('cookie')).toBe(false);
    if (KEEPS_CREDENTIALS) expect(second?.credentials).not.toBe('include');
  });

  test('has them where it is named', async () => {
    const [first, second] = await hedged({ origins: [ORIGIN, OTHER], credentialsFor: [OTHER] });
    // Browsers let no script set Proxy-Authorization.
    expect([...(second?.headers ?? [])]).toEqual([...(first?.headers ?? [])]);
    expect(second?.headers.get('authorization')).toBe('secret');
    expect(second?.credentials).toBe(first?.credentials);
  });

  test('may come from a function', async () => {
    expect((await hedged({ origins: () => OTHER }))[1]?.url).toBe(`${OTHER}/orders?page=2`);
    expect((await hedged({ origins: () => undefined }))[1]?.url).toBe(URL_);
  });

  test.each<[string, () => string]>([
    ['that throws', () => JSON.parse('{')],
    ['whose answer is no origin', () => `${OTHER}/v2`],
  ])('from a function %s: the first attempt goes on alone', async (_, origins) => {
    expect(await hedged({ origins })).toHaveLength(1);
  });

  test('is not asked for what is not in the list', async () => {
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
])('an option that cannot be meant is refused with a reason: %j', (options, message) => {
  expect(() => hedge(options as never)).toThrow(ConfigurationError);
  expect(() => hedge(options as never)).toThrow(message);
});
