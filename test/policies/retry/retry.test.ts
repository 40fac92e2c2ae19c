import { describe, expect, test } from 'vitest';
import type { NetworkError } from '../../../src/core/errors.ts';
import type { RetryOptions } from '../../../src/policies/retry/options.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { wholeBody } from '../../../src/policies/retry/whole.ts';
import { attemptTimeout, totalTimeout } from '../../../src/policies/timeout.ts';
import { brokenBody, hang, networkError, ok, slow, stalledBody, status } from '../../../src/testing.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

describe('the failures that retry repeats', () => {
  test.each([408, 425, 429, 500, 502, 503, 504])('retry repeats a read with response %i', async (code) => {
    const { fetch, origin } = scenario([retry()]);
    origin.replies(status(code), status(code), ok('third'));
    expect(await (await fetch(URL_)).text()).toBe('third');
    expect(origin.seen).toHaveLength(3);
  });

  test.each([400, 401, 403, 404, 409, 410, 422, 501, 505])(
    'retry does not repeat a read with response %i',
    async (code) => {
      const { fetch, origin } = scenario([retry()]);
      origin.replies(status(code));
      expect((await fetch(URL_)).status).toBe(code);
      expect(origin.seen).toHaveLength(1);
    },
  );

  test('retry repeats a 413 only with Retry-After', async () => {
    const { fetch, origin } = scenario([retry()]);
    origin.replies(status(413));
    expect((await fetch(URL_)).status).toBe(413);
    origin.replies(status(413, { 'retry-after': '1' }), ok());
    expect((await fetch(URL_)).status).toBe(200);
  });

  test('retry repeats a network error, and the last error, with all attempts, goes to the caller', async () => {
    const { fetch, origin } = scenario([retry()]);
    origin.otherwise(networkError('Failed to fetch'));
    const error = (await fetch(URL_).catch((thrown) => thrown)) as NetworkError;
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toBe('Failed to fetch');
    expect(error.code).toBe('network');
    expect(error.attempts.map(({ attempt, error: code }) => [attempt, code])).toEqual([
      [1, 'network'],
      [2, 'network'],
      [3, 'network'],
    ]);
  });

  describe('an attempt that timed out', () => {
    const limits = { total: '30s', attempt: '2s' } as const;
    const world = (options: RetryOptions = {}) =>
      scenario([totalTimeout(limits), retry({ jitter: 'none', ...options }), attemptTimeout(limits)]);

    test('retry repeats a timeout if the origin responded shortly before, and nothing else hangs', async () => {
      const { fetch, origin } = world();
      await fetch(URL_);
      origin.replies(hang());
      expect((await fetch(URL_)).status).toBe(200);
      expect(origin.seen).toHaveLength(3);
    });

    test('retry repeats a timeout if the origin responds to others in the meantime', async () => {
      const { fetch, origin, clock } = world();
      origin.replies(hang(), hang());
      const two = Promise.all([fetch(URL_), fetch(URL_)]);
      clock.after(1_000, () => void fetch(URL_));
      expect((await two).map(({ status }) => status)).toEqual([200, 200]);
      expect(origin.seen).toHaveLength(5);
    });

    test('retry does not repeat a timeout if the origin has never responded', async () => {
      const { fetch, origin } = world();
      origin.replies(hang());
      await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-attempt' });
      expect(origin.seen).toHaveLength(1);
    });

    test('retry does not repeat a second timeout: then everything hangs', async () => {
      const { fetch, origin, clock } = world();
      await fetch(URL_);
      await clock.advance(5_000);
      origin.otherwise(hang());
      await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-attempt' });
      expect(origin.seen).toHaveLength(3);
      await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-attempt' });
      expect(origin.seen).toHaveLength(4);
    });

    test('retry does not repeat a timeout of an attempt that began in a silence, even if the origin responds again', async () => {
      const { fetch, origin, clock } = world();
      const long = { holdfast: { timeout: { attempt: '10s' } } };
      await fetch(URL_);
      origin.otherwise(hang());
      await clock.advance(20_000);
      const hung = fetch(URL_, long).catch((error) => error.code);
      clock.after(8_000, () => {
        origin.otherwise(() => ok());
        void fetch(URL_);
      });
      expect(await hung).toBe('timeout-attempt');
      expect(origin.seen).toHaveLength(3);
    });

    test.each([
      [true, 3],
      [false, 1],
    ])('retry repeats a timeout by `retryOnTimeout: %s`', async (retryOnTimeout, sent) => {
      const { fetch, origin } = world({ retryOnTimeout });
      origin.otherwise(hang());
      await expect(fetch(URL_)).rejects.toMatchObject({ code: 'timeout-attempt' });
      expect(origin.seen).toHaveLength(sent);
    });
  });

  test('retry repeats a POST only with an Idempotency-Key', async () => {
    const { fetch, origin } = scenario([retry()]);
    origin.replies(status(503));
    expect((await fetch(URL_, { method: 'POST', body: 'x' })).status).toBe(503);
    expect(origin.seen).toHaveLength(1);
    origin.replies(status(503), ok());
    await fetch(URL_, { method: 'POST', body: 'x', headers: { 'idempotency-key': '"k"' } });
    expect(origin.seen.slice(1).map(({ body }) => body)).toEqual(['x', 'x']);
  });

  test('retry throws on what is no network failure: a bug in the transport passes unchanged', async () => {
    const { fetch, origin } = scenario([retry()]);
    const bug = new RangeError('mine');
    origin.replies(bug);
    await expect(fetch(URL_)).rejects.toBe(bug);
    expect(origin.seen).toHaveLength(1);
  });
});

describe('the body of a repeated request', () => {
  const bodies: [string, () => BodyInit, string | RegExp][] = [
    ['text', () => 'text', 'text'],
    ['bytes', () => new TextEncoder().encode('bytes'), 'bytes'],
    ['a blob', () => new Blob(['blob']), 'blob'],
    ['parameters', () => new URLSearchParams({ a: '1' }), 'a=1'],
    [
      'a form',
      () => {
        const form = new FormData();
        form.set('field', 'value');
        return form;
      },
      /name="field"\r\n\r\nvalue/,
    ],
  ];

  test.each(bodies)('retry sends %s whole at each attempt', async (_, body, expected) => {
    const { fetch, origin } = scenario([retry()]);
    origin.replies(status(503), status(503), ok());
    await fetch(URL_, { method: 'PUT', body: body() });
    expect(origin.seen).toHaveLength(3);
    for (const { body: sent, headers } of origin.seen) {
      expect(sent).toMatch(expected);
      const boundary = /boundary=(.*)$/.exec(headers.get('content-type') ?? '')?.[1];
      if (boundary) expect(sent).toContain(boundary);
    }
  });

  test('retry retains the body of a Request up to the limit; beyond it the request is sent once', async () => {
    const { fetch, origin } = scenario([retry({ bodyLimit: 10 })]);
    origin.otherwise(status(503));
    await fetch(new Request(URL_, { method: 'PUT', body: '1234567890' }));
    expect(origin.seen.map(({ body }) => body)).toEqual(Array(3).fill('1234567890'));
    await fetch(new Request(URL_, { method: 'PUT', body: '12345678901' }));
    expect(origin.seen).toHaveLength(4);
    expect(origin.seen[3]?.body).toBe('12345678901');
  });

  test('retry sends the body of the call, even if the caller changes it later', async () => {
    const { fetch, origin } = scenario([retry()]);
    const body = new URLSearchParams({ a: '1' });
    origin.replies(status(503), ok());
    const response = fetch(URL_, { method: 'PUT', body });
    body.set('a', '2');
    await response;
    expect(origin.seen.map((seen) => seen.body)).toEqual(['a=1', 'a=1']);
  });

  test('retry sends the fields and files of a form as they were, even if the caller changes it later', async () => {
    const { fetch, origin } = scenario([retry({ bodyLimit: 0 })]);
    const form = new FormData();
    form.set('field', 'one');
    form.set('file', new File(['content'], 'name.txt', { type: 'text/x-mine' }));
    // WebKit sends a form with files, but no script can read it from a request.
    const canBeRead = await new Request(URL_, { method: 'PUT', body: form }).text().catch(() => '');
    if (!canBeRead) form.delete('file');
    origin.replies(status(503), ok());
    const response = fetch(URL_, { method: 'PUT', body: form });
    form.set('field', 'two');
    await response;
    for (const { body } of origin.seen) {
      expect(body).toMatch(/name="field"\r\n\r\none\r\n/);
      if (canBeRead) expect(body).toMatch(/name.txt"\r\nContent-Type: text\/x-mine\r\n\r\ncontent\r\n/);
    }
    expect(origin.seen).toHaveLength(2);
  });

  test('retry cancels the body of a response that it drops', async () => {
    const { fetch, origin } = scenario([retry()]);
    const { response, cancelled } = stalledBody();
    origin.replies(new Response(response.body, { status: 503 }), ok());
    await fetch(URL_);
    expect(cancelled()).toBe(true);
  });
});

describe('the wait before a retry', () => {
  test.each([
    [undefined, 1, 1.5],
    ['full', 0, 1],
    ['equal', 0.5, 1],
  ] as const)('the wait with jitter %s is random around a backoff that doubles', async (jitter, from, to) => {
    const waits: number[][] = [[], [], [], []];
    for (let seed = 1; seed <= 200; seed++) {
      const policy = retry({ limit: 4, backoffLimit: '1s', budget: false, ...(jitter && { jitter }) });
      const { fetch, origin, clock } = scenario([policy], { seed });
      origin.otherwise(() => status(503));
      await fetch(URL_);
      clock.slept.forEach((ms, at) => void waits[at]?.push(ms));
    }
    [300, 600, 1_000, 1_000].forEach((backoff, at) => {
      // `backoffLimit` is the longest wait, jitter included.
      const [least, most] = [backoff * from, Math.min(1_000, backoff * to)];
      const sorted = [...(waits[at] as number[])].sort((a, b) => a - b);
      const share = (ms: number | undefined) => ((ms ?? Number.NaN) - least) / (most - least || 1);
      expect(share(sorted[0])).toBeGreaterThanOrEqual(0);
      expect(share(sorted.at(-1))).toBeLessThanOrEqual(1);
      if (least === most || backoff * to > 1_000) return;
      expect(share(sorted[0])).toBeLessThan(0.1);
      expect(share(sorted.at(-1))).toBeGreaterThan(0.9);
      expect(share(sorted[100])).toBeGreaterThan(0.35);
      expect(share(sorted[100])).toBeLessThan(0.65);
    });
  });

  test.each([
    ['NaN', () => Number.NaN, 10_000],
    ['a negative number', () => -1, 0],
    ['Infinity', () => Infinity, 10_000],
  ])('the wait is a duration although the jitter gives %s', async (_, jitter, wait) => {
    const { fetch, origin, emitted } = scenario([retry({ jitter })]);
    origin.replies(status(503));
    await fetch(`${ORIGIN}/x`);
    expect(emitted('retry')).toMatchObject([{ delay: wait }]);
  });

  test('the wait is the longest one if the delay is no number', async () => {
    const { fetch, origin, emitted } = scenario([
      retry({ delay: () => Number.NaN, jitter: 'none', backoffLimit: '2s' }),
    ]);
    origin.replies(status(503));
    await fetch(`${ORIGIN}/x`);
    expect(emitted('retry')).toMatchObject([{ delay: 2_000 }]);
  });

  test('the wait without jitter doubles exactly', async () => {
    const { fetch, origin, clock } = scenario([retry({ limit: 3, jitter: 'none' })]);
    origin.otherwise(status(503));
    await fetch(URL_);
    expect(clock.slept).toEqual([300, 600, 1200]);
  });

  test('the wait is as long as Retry-After says, and jitter comes on top', async () => {
    const { fetch, origin, clock } = scenario([retry()]);
    origin.replies(status(429, { 'retry-after': '20' }), ok());
    await fetch(URL_);
    expect(clock.slept[0]).toBeGreaterThanOrEqual(20_000);
    expect(clock.slept[0]).toBeLessThanOrEqual(20_450);
  });

  test('a wait above the limit ends the call at once, with the time to come back', async () => {
    const { fetch, origin, clock, emitted } = scenario([retry()]);
    origin.replies(status(503, { 'retry-after': '120' }));
    expect((await fetch(URL_)).status).toBe(503);
    expect(clock.slept).toEqual([]);
    const [abandoned] = emitted('retry-abandoned');
    expect(abandoned?.reason).toBe('retry-after');
    expect((abandoned?.retryAt ?? 0) - clock.now()).toBeGreaterThanOrEqual(120_000);
  });

  test('the wait is cut to maxRetryAfter; the retries of others are as late as the origin asks', async () => {
    const { fetch, origin, clock } = scenario([retry({ maxRetryAfter: '1s', jitter: 'none', limit: 1 })]);
    origin.replies(status(503, { 'retry-after': '20' }), status(500), status(500), ok());
    await fetch(URL_);
    expect(clock.slept).toEqual([1_000]);
    await fetch(URL_);
    expect(clock.slept[1]).toBe(19_000);
  });

  test('what an origin asks for ends with its next success', async () => {
    const { fetch, origin, clock } = scenario([
      retry({ maxRetryAfter: '1s', jitter: 'none', delay: () => 300 }),
    ]);
    origin.replies(status(503, { 'retry-after': '20' }), ok(), status(500), ok());
    await fetch(URL_);
    await fetch(URL_);
    expect(clock.slept).toEqual([1_000, 300]);
  });

  test('a wait that does not fit into the total time ends the call at once', async () => {
    const { fetch, origin, clock, emitted } = scenario([
      totalTimeout({ total: '10s', attempt: '5s' }),
      retry(),
    ]);
    origin.replies(status(503, { 'retry-after': '11' }));
    expect((await fetch(URL_)).status).toBe(503);
    expect(clock.slept).toEqual([]);
    expect(emitted('retry-abandoned')[0]?.reason).toBe('total');
  });

  test('the caller’s abort ends a wait at once, with its own reason', async () => {
    const { fetch, origin, clock } = scenario([retry({ jitter: 'none', delay: () => 5_000 })]);
    origin.otherwise(status(503));
    const controller = new AbortController();
    const reason = { any: 'value' };
    clock.after(1_000, () => controller.abort(reason));
    await expect(fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
    expect(clock.ticks()).toBe(1_000);
    expect(origin.seen).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('a wait goes on until the host is online again', async () => {
    const { fetch, origin, clock, host } = scenario([retry({ jitter: 'none' })]);
    origin.replies(networkError(), ok());
    host.connectivity.set(false);
    clock.after(60_000, () => host.connectivity.set(true));
    await fetch(URL_);
    expect(origin.seen.map(({ at }) => at)).toEqual([0, 60_000]);
  });
});

describe('the retry budget', () => {
  const reasons = ({ emitted }: Scenario) => emitted('retry-abandoned').map(({ reason }) => reason);

  test('the budget allows four retries without a success, and is full again after one', async () => {
    const scene = scenario([retry()]);
    const { fetch, origin, clock } = scene;
    await fetch(URL_);
    await clock.advance(10_000);
    origin.otherwise(() => status(503));
    for (let call = 0; call < 4; call++) await fetch(URL_);
    expect(origin.seen).toHaveLength(1 + 3 + 3 + 1 + 1);
    expect(reasons(scene)).toEqual(['budget', 'budget']);
    origin.replies(ok());
    await fetch(URL_);
    const before = origin.seen.length;
    await fetch(URL_);
    expect(origin.seen.length - before).toBe(3);
  });

  test('the budget is twice as large while attempts succeed, and before the first one has', async () => {
    for (const first of [true, false]) {
      const { fetch, origin } = scenario([retry({ delay: () => 1, jitter: 'none' })]);
      if (first) await fetch(URL_);
      origin.otherwise(() => status(503));
      for (let call = 0; call < 6; call++) await fetch(URL_);
      expect(origin.seen).toHaveLength((first ? 1 : 0) + 6 + 8);
    }
  });

  test('the budget does not reject calls that were in flight together', async () => {
    const scene = scenario([retry()]);
    const { fetch, origin } = scene;
    origin.otherwise(() => status(503));
    await Promise.all(Array.from({ length: 30 }, () => fetch(URL_)));
    expect(origin.seen).toHaveLength(90);
    expect(reasons(scene)).toEqual([]);
  });

  test('the budget does not reject a call if another one has succeeded during it', async () => {
    const { fetch, origin, clock } = scenario([retry({ budget: 0, jitter: 'none' })]);
    await fetch(URL_);
    await clock.advance(10_000);
    origin.replies(slow(clock, 500, () => status(503)));
    const call = fetch(URL_);
    clock.after(100, () => void fetch(URL_));
    expect((await call).status).toBe(200);
  });

  test('the budget belongs to one origin', async () => {
    const { fetch, origin } = scenario([retry({ budget: 1 })]);
    origin.otherwise(() => status(503));
    for (const url of [URL_, URL_, 'https://other.example.com/']) await fetch(url);
    expect(origin.seen).toHaveLength(3 + 1 + 3);
  });

  test('the budget can be switched off', async () => {
    const { fetch, origin } = scenario([retry({ budget: false })]);
    origin.otherwise(() => status(503));
    for (let call = 0; call < 20; call++) await fetch(URL_);
    expect(origin.seen).toHaveLength(60);
  });
});

describe('with `until: wholeBody`', () => {
  const whole = (options: RetryOptions = {}) =>
    scenario([totalTimeout(), retry({ until: wholeBody, jitter: 'none', ...options }), attemptTimeout()]);

  test.each([
    ['breaks', () => brokenBody()],
    ['stalls', () => stalledBody().response],
  ])('with wholeBody a body that %s is a failed attempt', async (_, body) => {
    const { fetch, origin } = whole();
    origin.replies(body(), ok('whole'));
    expect(await (await fetch(URL_)).text()).toBe('whole');
    expect(origin.seen).toHaveLength(2);
  });

  test('with wholeBody the response keeps its status, headers and URL', async () => {
    const { fetch, origin } = whole();
    origin.replies(ok('{"a":1}', { status: 201, headers: { 'x-a': '1' } }));
    const response = await fetch(URL_);
    expect([response.status, response.headers.get('x-a'), await response.clone().json()]).toEqual([
      201,
      '1',
      { a: 1 },
    ]);
    expect(await response.text()).toBe('{"a":1}');
  });

  test('with wholeBody a body over `bodyLimit` streams on after its first part, and arrives whole', async () => {
    const { fetch, origin } = whole({ bodyLimit: 10 });
    const parts = ['12345', '67890', 'abc', 'def'];
    const left = [...parts];
    origin.replies(
      new Response(
        new ReadableStream({
          pull(controller) {
            const part = left.shift();
            if (part) controller.enqueue(new TextEncoder().encode(part));
            else controller.close();
          },
        }),
      ),
    );
    const response = await fetch(URL_);
    expect(left.length).toBeGreaterThanOrEqual(0);
    expect(await response.text()).toBe(parts.join(''));
  });

  test('with wholeBody a streaming type streams', async () => {
    const { fetch, origin } = whole();
    const { response } = stalledBody();
    origin.replies(new Response(response.body, { headers: { 'content-type': 'application/x-ndjson' } }));
    const reader = ((await fetch(URL_)).body as ReadableStream).getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe('half');
    await reader.cancel();
  });

  test('with wholeBody the caller’s abort ends the read with its reason', async () => {
    const { fetch, origin, clock } = whole();
    origin.replies(stalledBody().response);
    const controller = new AbortController();
    const reason = new Error('mine');
    clock.after(100, () => controller.abort(reason));
    await expect(fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
    expect(clock.pending).toBe(0);
  });
});

describe('shouldRetry', () => {
  test('shouldRetry decides before all other rules', async () => {
    const { fetch, origin } = scenario([retry({ shouldRetry: ({ response }) => response?.status === 404 })]);
    origin.replies(status(404), ok());
    expect((await fetch(URL_)).status).toBe(200);
    origin.replies(status(503));
    expect((await fetch(URL_)).status).toBe(503);
  });

  test('shouldRetry that throws ends the call with its error', async () => {
    const bug = new Error('mine');
    const { fetch, origin } = scenario([
      retry({
        shouldRetry: () => {
          throw bug;
        },
      }),
    ]);
    origin.replies(status(503));
    await expect(fetch(URL_)).rejects.toBe(bug);
  });
});

test('beforeRetry may end with the response that it was given', async () => {
  const { fetch, origin } = scenario([retry({ beforeRetry: ({ response }) => response })]);
  origin.replies(status(503));
  const response = await fetch(URL_);
  expect([response.status, await response.text()]).toEqual([503, 'status 503']);
  expect(origin.seen).toHaveLength(1);
});

describe('options of a call', () => {
  test('the retry options of a call are added to those of the pipeline', async () => {
    const { fetch, origin } = scenario([retry({ limit: 5, jitter: 'none' })]);
    origin.otherwise(status(503));
    await fetch(URL_, { holdfast: { retry: 1 } });
    expect(origin.seen).toHaveLength(2);
    await fetch(URL_, { holdfast: { retry: false } });
    expect(origin.seen).toHaveLength(3);
  });

  test.each([
    [{ limit: -1 }, /retry\.limit: -1 is not allowed; expected a whole number/],
    [{ limit: 1.5 }, /retry\.limit: 1\.5/],
    [{ backoffLimit: '5 s' }, /retry\.backoffLimit: '5 s' is not allowed; did you mean '5s'\?/],
    [{ jitter: 'half' }, /retry\.jitter: 'half' is not allowed; expected one of added, full/],
    [{ statusCodes: [42] }, /retry\.statusCodes: 42/],
    [{ limt: 3 }, /retry\.limt: 3 is not allowed; unknown option; known: limit/],
    [
      { until: 'body' },
      /retry\.until: 'body' is not allowed; expected 'headers', or wholeBody without quotes/,
    ],
    [{ shouldRetry: 'yes' }, /retry\.shouldRetry: 'yes' is not allowed; expected a function/],
  ])('an impossible retry option throws an error with a reason: %j', (options, message) => {
    expect(() => retry(options as never)).toThrow(message);
  });
});
