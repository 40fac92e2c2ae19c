import { describe, expect, test } from 'vitest';
import type { NetworkError } from '../../src/core/errors.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { hang, networkError, ok, stalledBody, status } from '../../src/testing/index.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

describe('what is repeated', () => {
  test.each([408, 425, 429, 500, 502, 503, 504])('a read that was answered %i', async (code) => {
    const { fetch, origin } = scenario([retry()]);
    origin.replies(status(code), status(code), ok('third'));
    expect(await (await fetch(URL_)).text()).toBe('third');
    expect(origin.seen).toHaveLength(3);
  });

  test.each([400, 401, 403, 404, 409, 410, 422, 501, 505])(
    'not a read that was answered %i',
    async (code) => {
      const { fetch, origin } = scenario([retry()]);
      origin.replies(status(code));
      expect((await fetch(URL_)).status).toBe(code);
      expect(origin.seen).toHaveLength(1);
    },
  );

  test('413 only where the origin says when', async () => {
    const { fetch, origin } = scenario([retry()]);
    origin.replies(status(413));
    expect((await fetch(URL_)).status).toBe(413);
    origin.replies(status(413, { 'retry-after': '1' }), ok());
    expect((await fetch(URL_)).status).toBe(200);
  });

  test('a network error, and the last one is what the caller gets, with all attempts', async () => {
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

  test('an attempt that ran out of time where that was asked, not a call that did', async () => {
    const { fetch, origin } = scenario([
      totalTimeout({ total: '5s', attempt: '2s' }),
      retry({ limit: 9, jitter: 'none', delay: () => 0 }),
      attemptTimeout({ total: '5s', attempt: '2s' }),
    ]);
    origin.otherwise(hang());
    await expect(fetch(URL_)).rejects.toMatchObject({ name: 'TimeoutError', code: 'timeout-attempt' });
    expect(origin.seen).toHaveLength(1);
    const asked = fetch(URL_, { holdfast: { retry: { retryOnTimeout: true } } });
    await expect(asked).rejects.toMatchObject({ name: 'TimeoutError', code: 'timeout-total' });
    expect(origin.seen.slice(1).map(({ at }) => at - 2000)).toEqual([0, 2000, 4000]);
  });

  test('a POST only with an Idempotency-Key', async () => {
    const { fetch, origin } = scenario([retry()]);
    origin.replies(status(503));
    expect((await fetch(URL_, { method: 'POST', body: 'x' })).status).toBe(503);
    expect(origin.seen).toHaveLength(1);
    origin.replies(status(503), ok());
    await fetch(URL_, { method: 'POST', body: 'x', headers: { 'idempotency-key': '"k"' } });
    expect(origin.seen.slice(1).map(({ body }) => body)).toEqual(['x', 'x']);
  });

  test('not what is no failure of the network: a bug in the transport is thrown as it is', async () => {
    const { fetch, origin } = scenario([retry()]);
    const bug = new RangeError('mine');
    origin.replies(bug);
    await expect(fetch(URL_)).rejects.toBe(bug);
    expect(origin.seen).toHaveLength(1);
  });
});

describe('bodies', () => {
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

  test.each(bodies)('%s is sent whole at each attempt', async (_, body, expected) => {
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

  test('of a Request is kept up to the limit; beyond it the request is sent once', async () => {
    const { fetch, origin } = scenario([retry({ bodyLimit: 10 })]);
    origin.otherwise(status(503));
    await fetch(new Request(URL_, { method: 'PUT', body: '1234567890' }));
    expect(origin.seen.map(({ body }) => body)).toEqual(Array(3).fill('1234567890'));
    await fetch(new Request(URL_, { method: 'PUT', body: '12345678901' }));
    expect(origin.seen).toHaveLength(4);
    expect(origin.seen[3]?.body).toBe('12345678901');
  });

  test('what was given may be changed meanwhile', async () => {
    const { fetch, origin } = scenario([retry()]);
    const body = new URLSearchParams({ a: '1' });
    origin.replies(status(503), ok());
    const answer = fetch(URL_, { method: 'PUT', body });
    body.set('a', '2');
    await answer;
    expect(origin.seen.map((seen) => seen.body)).toEqual(['a=1', 'a=1']);
  });

  test('of an answer that is dropped is given up', async () => {
    const { fetch, origin } = scenario([retry()]);
    const { response, cancelled } = stalledBody();
    origin.replies(new Response(response.body, { status: 503 }), ok());
    await fetch(URL_);
    expect(cancelled()).toBe(true);
  });
});

describe('waiting', () => {
  test('is random up to a backoff that doubles, and never more than its limit', async () => {
    const waits: number[][] = [[], [], [], []];
    for (let seed = 1; seed <= 200; seed++) {
      const { fetch, origin, clock } = scenario([retry({ limit: 4, backoffLimit: '1s', budget: false })], {
        seed,
      });
      origin.otherwise(status(503));
      await fetch(URL_);
      clock.slept.forEach((ms, at) => void waits[at]?.push(ms));
    }
    [300, 600, 1000, 1000].forEach((most, at) => {
      const sorted = [...(waits[at] as number[])].sort((a, b) => a - b);
      expect(sorted.at(-1)).toBeLessThanOrEqual(most);
      expect(sorted.at(-1)).toBeGreaterThan(most * 0.9);
      expect(sorted[0]).toBeLessThan(most * 0.1);
      expect(sorted[100]).toBeGreaterThan(most * 0.35);
      expect(sorted[100]).toBeLessThan(most * 0.65);
    });
  });

  test('without jitter doubles exactly', async () => {
    const { fetch, origin, clock } = scenario([retry({ limit: 3, jitter: 'none' })]);
    origin.otherwise(status(503));
    await fetch(URL_);
    expect(clock.slept).toEqual([300, 600, 1200]);
  });

  test('is as long as Retry-After asks, and jitter comes on top', async () => {
    const { fetch, origin, clock } = scenario([retry()]);
    origin.replies(status(429, { 'retry-after': '20' }), ok());
    await fetch(URL_);
    expect(clock.slept[0]).toBeGreaterThanOrEqual(20_000);
    expect(clock.slept[0]).toBeLessThanOrEqual(20_300);
  });

  test('that does not fit into the limit ends the call at once, and says when to come back', async () => {
    const { fetch, origin, clock, told } = scenario([retry()]);
    origin.replies(status(503, { 'retry-after': '120' }));
    expect((await fetch(URL_)).status).toBe(503);
    expect(clock.slept).toEqual([]);
    const [abandoned] = told('retry-abandoned');
    expect(abandoned?.reason).toBe('retry-after');
    expect((abandoned?.retryAt ?? 0) - clock.now()).toBeGreaterThanOrEqual(120_000);
  });

  test('that does not fit into the total time ends the call at once', async () => {
    const { fetch, origin, clock, told } = scenario([totalTimeout({ total: '10s', attempt: '5s' }), retry()]);
    origin.replies(status(503, { 'retry-after': '11' }));
    expect((await fetch(URL_)).status).toBe(503);
    expect(clock.slept).toEqual([]);
    expect(told('retry-abandoned')[0]?.reason).toBe('total');
  });

  test('ends at once with the caller’s own reason', async () => {
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

  test('goes on until the host is online again', async () => {
    const { fetch, origin, clock, host } = scenario([retry({ jitter: 'none' })]);
    origin.replies(networkError(), ok());
    host.online.set(false);
    clock.after(60_000, () => host.online.set(true));
    await fetch(URL_);
    expect(origin.seen.map(({ at }) => at)).toEqual([0, 60_000]);
  });
});

describe('the budget', () => {
  test('stops retries to an origin that keeps failing, and a good answer gives some back', async () => {
    const { fetch, origin, told } = scenario([retry({ budget: 3 })]);
    origin.otherwise(status(503));
    for (let call = 0; call < 4; call++) await fetch(URL_);
    expect(origin.seen).toHaveLength(4 + 3);
    expect(told('retry-abandoned').map(({ reason }) => reason)).toEqual(['budget', 'budget', 'budget']);
    origin.replies(...Array.from({ length: 5 }, () => ok()));
    for (let call = 0; call < 5; call++) await fetch(URL_);
    const before = origin.seen.length;
    await fetch(URL_);
    expect(origin.seen.length - before).toBe(2);
  });

  test('is per origin', async () => {
    const { fetch, origin } = scenario([retry({ budget: 1 })]);
    origin.otherwise(status(503));
    await fetch(URL_);
    await fetch('https://other.example.com/');
    expect(origin.seen).toHaveLength(4);
  });
});

describe('shouldRetry', () => {
  test('has the first word', async () => {
    const { fetch, origin } = scenario([retry({ shouldRetry: ({ response }) => response?.status === 404 })]);
    origin.replies(status(404), ok());
    expect((await fetch(URL_)).status).toBe(200);
    origin.replies(status(503));
    expect((await fetch(URL_)).status).toBe(503);
  });

  test('that throws ends the call with what it threw', async () => {
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

describe('options of a call', () => {
  test('come on top of those of the pipeline', async () => {
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
    [{ jitter: 'half' }, /retry\.jitter: 'half' is not allowed; expected one of full/],
    [{ statusCodes: [42] }, /retry\.statusCodes: 42/],
    [{ limt: 3 }, /retry\.limt: 3 is not allowed; unknown option; known: limit/],
    [{ shouldRetry: 'yes' }, /retry\.shouldRetry: 'yes' is not allowed; expected a function/],
  ])('that cannot be meant are refused with a reason: %j', (options, message) => {
    expect(() => retry(options as never)).toThrow(message);
  });
});
