import { describe, expect, test } from 'vitest';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { rateLimit } from '../../src/policies/rate-limit.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { hang, ok, type Step, slow, status, testHost } from '../../src/testing.ts';
import { statusOf } from '../support/calls.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const OTHER = 'https://other.example.com/';

/** The status, or the code or name of the error; the body is read. */
const get = ({ fetch }: Scenario, url: string = ORIGIN, signal?: AbortSignal): Promise<unknown> =>
  statusOf(fetch(url, { ...(signal && { signal }) }));

const times = (n: number, scene: Scenario): Promise<unknown[]> =>
  Promise.all(Array.from({ length: n }, () => get(scene)));

const error = (promise: Promise<unknown>): Promise<unknown> => promise.catch((thrown) => thrown);

/** When requests came, to the millisecond. */
const arrivals = ({ origin }: Scenario): number[] => origin.seen.map(({ at }) => Math.round(at));

const later = (seconds: number | string, code = 429): Response =>
  status(code, { 'retry-after': String(seconds) });

describe('a rate of the application', () => {
  test('rateLimit lets a burst go, and then one call per interval, in order', async () => {
    const scene = scenario([rateLimit({ rate: 3, per: '1s' })]);
    const results = ['/0', '/1', '/2', '/3', '/4', '/5'].map((path) => get(scene, ORIGIN + path));
    expect(scene.emitted('waiting')).toMatchObject(Array(3).fill({ for: 'rate-limit', origin: ORIGIN }));
    expect(await Promise.all(results)).toEqual(Array(6).fill(200));
    expect(arrivals(scene)).toEqual([0, 0, 0, 333, 667, 1_000]);
    expect(scene.origin.seen.map(({ url }) => new URL(url).pathname)).toEqual([
      '/0',
      '/1',
      '/2',
      '/3',
      '/4',
      '/5',
    ]);
    expect(scene.clock.pending).toBe(0);
  });

  test('rateLimit saves up one burst at most', async () => {
    const scene = scenario([rateLimit({ rate: 10, per: '1s', burst: 2 })]);
    await scene.clock.advance(60_000);
    await times(4, scene);
    expect(arrivals(scene)).toEqual([60_000, 60_000, 60_100, 60_200]);
  });

  test('rateLimit never exceeds its rate, whatever calls come and abort', async () => {
    const scene = scenario([rateLimit({ rate: 5, per: '1s', burst: 2, maxWait: '2s' })]);
    const { clock, host } = scene;
    const results: Promise<unknown>[] = [];
    for (let call = 0; call < 300; call++) {
      const controller = new AbortController();
      results.push(get(scene, ORIGIN, controller.signal));
      if (host.random() < 0.4) clock.after(host.random() * 1_000, () => controller.abort('gone'));
      await clock.advance(host.random() * 200);
    }
    await Promise.all(results);
    await clock.advance(1_000);
    const at = scene.origin.seen.map((seen) => seen.at);
    for (const [n, from] of at.entries()) {
      const within = at.filter((each) => each >= from && each < from + 1_000 - 1e-3).length;
      expect([n, within]).toEqual([n, Math.min(within, 2 + 5)]);
    }
    // And it uses the whole rate.
    expect(at.length).toBeGreaterThan(((at.at(-1) as number) / 1_000) * 5 * 0.9);
    expect(clock.pending).toBe(0);
  });

  test('a call that would wait longer than 5 s is rejected at once, with the time to come back', async () => {
    const scene = scenario([rateLimit({ rate: 1, per: '2s' })]);
    await scene.clock.advance(10_000);
    const results = [get(scene), get(scene), get(scene)];
    const now = scene.clock.now();
    const refused = await error(scene.fetch(ORIGIN));
    expect(refused).toMatchObject({
      name: 'CapacityError',
      code: 'rate-limit',
      category: 'capacity',
      transient: true,
      origin: ORIGIN,
      callId: expect.any(String),
      attempts: [],
      retryAt: now + 6_000,
    });
    expect(scene.emitted('refused')).toMatchObject([{ code: 'rate-limit', retryAt: now + 6_000 }]);
    expect(await Promise.all(results)).toEqual([200, 200, 200]);
    expect(arrivals(scene)).toEqual([10_000, 12_000, 14_000]);
  });

  test('a call that would wait longer than its total time is rejected at once', async () => {
    const scene = scenario([totalTimeout({ total: '1s' }), rateLimit({ rate: 1, per: '2s' })]);
    expect(await get(scene)).toBe(200);
    expect(await get(scene)).toBe('rate-limit');
    expect(scene.clock.ticks()).toBe(0);
  });

  test('an aborted call leaves its place to the next one: typing does not delay the last letter', async () => {
    const scene = scenario([rateLimit({ rate: 1, per: '1s' })]);
    await get(scene);
    for (let letter = 0; letter < 20; letter++) {
      const controller = new AbortController();
      const reason = { letter };
      const typed = error(scene.fetch(ORIGIN, { signal: controller.signal }));
      controller.abort(reason);
      expect(await typed).toBe(reason);
      expect(scene.clock.pending).toBe(0);
    }
    expect(await get(scene)).toBe(200);
    expect(arrivals(scene)).toEqual([0, 1_000]);
  });

  test('the rate belongs to one origin', async () => {
    const scene = scenario([rateLimit({ rate: 1, per: '1h' })]);
    expect(await get(scene)).toBe(200);
    expect(await get(scene)).toBe('rate-limit');
    expect(await get(scene, OTHER)).toBe(200);
  });

  test('rateLimit works if calls may not share I/O, by a timer for each', async () => {
    const host = testHost({ canShareIO: false });
    const scene = scenario([rateLimit({ rate: 1, per: '1s' })], { host });
    expect(await times(3, scene)).toEqual([200, 200, 200]);
    expect(host.clock.slept.map(Math.round)).toEqual([1_000, 2_000]);
  });
});

describe('a limit that the origin sent to one call', () => {
  test.each<[string, Response, number]>([
    ['Retry-After with 429', later(3), 3_000],
    ['Retry-After with 503', later(3, 503), 3_000],
    ['Retry-After with 413', later(3, 413), 3_000],
    ['Retry-After as a date', later('Thu, 01 Jan 2026 00:00:03 GMT'), 3_000],
    ['RateLimit with nothing remaining', ok('', { headers: { ratelimit: '"a";r=0;t=3' } }), 3_000],
    [
      'X-RateLimit',
      status(403, { 'x-ratelimit-remaining': '0', 'x-ratelimit-reset': String(Date.UTC(2026) / 1000 + 3) }),
      3_000,
    ],
    [
      'both: Retry-After comes before RateLimit',
      status(429, { 'retry-after': '2', ratelimit: '"a";r=0;t=4' }),
      2_000,
    ],
  ])('a limit of the origin delays the other calls: %s', async (_, response, ms) => {
    const policy = rateLimit();
    const scene = scenario([policy]);
    scene.origin.replies(response);
    await get(scene);
    expect(policy.states()).toEqual({ [ORIGIN]: { retryAt: scene.clock.now() + ms } });
    expect(await get(scene, OTHER)).toBe(200);
    expect(scene.clock.ticks()).toBe(0);
    expect(await times(5, scene)).toEqual(Array(5).fill(200));
    const came = scene.origin.seen.slice(2).map(({ at }) => at);
    for (const at of came) {
      expect(at).toBeGreaterThanOrEqual(ms);
      expect(at).toBeLessThan(ms + 1_000);
    }
    // Not all at once.
    expect(new Set(came).size).toBe(5);
    expect(scene.clock.pending).toBe(0);
    await scene.clock.advance(1_000);
    expect(policy.states()[ORIGIN]).toEqual({});
    scene.clock.slept.length = 0;
    await get(scene);
    expect(scene.clock.slept).toEqual([]);
  });

  test.each<[string, Response]>([
    ['another status', status(301, { 'retry-after': '3' })],
    ['500', later(3, 500)],
    ['soon', later('soon')],
    ['a negative number', later('-1')],
    ['a date in the past', later('Sunday, 06-Nov-94 08:49:37 GMT')],
    ['calls that remain', ok('', { headers: { ratelimit: '"a";r=1;t=3' } })],
    ['an invalid structured field', ok('', { headers: { ratelimit: 'r=0,,t=3' } })],
  ])('a response without a limit delays no call: %s', async (_, response) => {
    const scene = scenario([rateLimit()]);
    scene.origin.replies(response);
    await get(scene);
    expect(await get(scene)).toBe(200);
    expect(scene.clock.ticks()).toBe(0);
  });

  test('a limit beyond the wait of a call rejects at once, with a different time to come back for each', async () => {
    const scene = scenario([rateLimit()]);
    scene.origin.replies(later(30));
    await get(scene);
    const at = await Promise.all(
      Array.from({ length: 5 }, () =>
        error(scene.fetch(ORIGIN)).then((each) => (each as { retryAt: number }).retryAt),
      ),
    );
    for (const each of at) {
      expect(each).toBeGreaterThanOrEqual(scene.clock.now() + 30_000);
      expect(each).toBeLessThanOrEqual(scene.clock.now() + 31_000);
    }
    expect(new Set(at).size).toBe(5);
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.ticks()).toBe(0);
  });

  test('a limit that just fits into the wait delays the call', async () => {
    const scene = scenario([rateLimit()]);
    scene.origin.replies(later(5));
    await get(scene);
    expect(await times(3, scene)).toEqual([200, 200, 200]);
    expect(scene.clock.ticks()).toBe(5_000);
  });

  test.each(['99999999999', 'Fri, 01 Jan 2100 00:00:00 GMT'])(
    'a limit of the origin counts for a minute at most: Retry-After: %s',
    async (retryAfter) => {
      const scene = scenario([rateLimit()]);
      scene.origin.replies(later(retryAfter));
      await get(scene);
      await scene.clock.advance(59_000 - 5_000);
      expect(await get(scene)).toBe('rate-limit');
      await scene.clock.advance(6_000);
      expect(await get(scene)).toBe(200);
    },
  );

  test('maxRetryAfter: 0 ignores the limit of the origin', async () => {
    const scene = scenario([rateLimit({ maxRetryAfter: 0 })]);
    scene.origin.replies(later(30));
    await get(scene);
    expect(await get(scene)).toBe(200);
  });

  test('a limit of the origin holds for calls that wait already, too', async () => {
    const scene = scenario([rateLimit({ rate: 1, per: '1s' })]);
    scene.origin.replies(slow(scene.clock, 500, () => later(3)));
    expect(await Promise.all([get(scene), get(scene), get(scene)])).toEqual([429, 200, 200]);
    const [first, second, third] = scene.origin.seen.map(({ at }) => at) as [number, number, number];
    expect(first).toBe(0);
    expect(second).toBeGreaterThanOrEqual(3_500);
    expect(third - second).toBeGreaterThanOrEqual(999);
    expect(scene.emitted('waiting')).toHaveLength(2);
    expect(scene.clock.pending).toBe(0);
  });

  test('a shorter limit does not replace a longer one', async () => {
    const scene = scenario([rateLimit()]);
    scene.origin.replies(
      slow(scene.clock, 10, () => later(4)),
      slow(scene.clock, 20, () => later(1)),
    );
    await times(2, scene);
    await get(scene);
    expect(scene.origin.seen.at(-1)?.at).toBeGreaterThanOrEqual(4_010);
  });

  test('a limit is a duration: a clock that is set does not matter', async () => {
    const scene = scenario([rateLimit()]);
    scene.origin.replies(later(3));
    await get(scene);
    scene.clock.jump(-3_600_000);
    expect(await get(scene)).toBe(200);
    expect(scene.clock.ticks()).toBeLessThan(4_000);
  });
});

test('an abort during the wait ends the call at once, with the caller’s reason', async () => {
  const scene = scenario([rateLimit()]);
  scene.origin.replies(later(3));
  await get(scene);
  const controller = new AbortController();
  const reason = { my: 'reason' };
  const gone = error(scene.fetch(ORIGIN, { signal: controller.signal }));
  controller.abort(reason);
  expect(await gone).toBe(reason);
  expect([scene.clock.ticks(), scene.clock.pending, scene.origin.seen.length]).toEqual([0, 0, 1]);
});

test('close ends the wait of all calls', async () => {
  const scene = scenario([rateLimit({ rate: 1 })]);
  const results = [get(scene), get(scene)];
  await scene.fetch.close();
  expect(await results[1]).toBe('closed');
  await results[0];
  expect(scene.clock.pending).toBe(0);
});

describe('rateLimit with other policies', () => {
  test('a rejection does not count for the breaker, and is not repeated', async () => {
    const circuit = breaker({ failures: 1 });
    const scene = scenario([retry(), circuit, rateLimit({ rate: 1, per: '1h' })]);
    await get(scene);
    for (let call = 0; call < 20; call++) expect(await get(scene)).toBe('rate-limit');
    expect(circuit.states()[ORIGIN]?.state).toBe('closed');
    expect(scene.emitted('retry')).toEqual([]);
  });

  test.each<[string, unknown, (scene: Scenario) => Step]>([
    ['of the origin', 'timeout-attempt', () => hang()],
    ['of the path', 503, ({ clock }) => slow(clock, 50, () => status(503))],
  ])(
    'a circuit %s that opens rejects the calls in the queue, and nothing is sent',
    async (_, first, step) => {
      const scene = scenario([
        breaker({ failures: 1, maxWait: 0 }),
        rateLimit({ rate: 1, per: '1s' }),
        attemptTimeout('100ms'),
      ]);
      scene.origin.replies(step(scene));
      expect(await times(3, scene)).toEqual([first, 'circuit-open', 'circuit-open']);
      expect(scene.origin.seen).toHaveLength(1);
    },
  );

  test('a circuit that opens lets the calls in the queue wait for a probe', async () => {
    const scene = scenario([
      breaker({ failures: 1, openFor: '3s' }),
      rateLimit({ rate: 1, per: '1s' }),
      attemptTimeout('100ms'),
    ]);
    scene.origin.replies(hang());
    expect(await times(3, scene)).toEqual(['timeout-attempt', 200, 200]);
    expect(arrivals(scene)).toEqual([0, 3_000, 4_000]);
    expect(scene.emitted('released')).toHaveLength(2);
    expect(scene.emitted('refused')).toEqual([]);
  });

  test('a retry after Retry-After is not delayed twice', async () => {
    const scene = scenario([totalTimeout(), retry({ jitter: false }), rateLimit(), attemptTimeout()]);
    scene.origin.replies(later(2));
    expect(await get(scene)).toBe(200);
    expect(arrivals(scene)).toEqual([0, 2_000]);
  });

  test.each([
    ['with rateLimit, retry waits as long as the structured RateLimit says', [rateLimit()], 8_000],
    ['without rateLimit, retry does not read the structured RateLimit', [], 300],
  ])('%s', async (_, more, expected) => {
    const scene = scenario([totalTimeout(), retry({ jitter: false }), ...more, attemptTimeout()]);
    scene.origin.replies(status(429, { ratelimit: '"a";r=0;t=8' }));
    expect(await get(scene)).toBe(200);
    expect(arrivals(scene)).toEqual([0, expected]);
  });

  test('the wait does not count for the attempt timeout, and keeps the slot of the bulkhead', async () => {
    const slots = bulkhead({ limit: 1 });
    const scene = scenario([slots, rateLimit({ rate: 1, per: '2s' }), attemptTimeout('1s')]);
    expect(await times(3, scene)).toEqual([200, 200, 200]);
    expect(arrivals(scene)).toEqual([0, 2_000, 4_000]);
    expect(slots.states()).toEqual({});
    expect(scene.clock.pending).toBe(0);
  });

  test('two pipelines share a rate by sharing the policy', async () => {
    const policy = rateLimit();
    const scene = scenario([policy]);
    scene.origin.replies(later(30));
    await get(scene);
    expect(await get(scenario([policy]))).toBe('rate-limit');
  });
});

test('false switches rateLimit off for a call', async () => {
  const scene = scenario([rateLimit({ rate: 1, per: '1h' })]);
  await get(scene);
  expect((await scene.fetch(ORIGIN, { holdfast: { rateLimit: false } })).status).toBe(200);
});

test('rateLimit needs no timer while no call waits', async () => {
  const scene = scenario([rateLimit({ rate: 1 })]);
  scene.origin.replies(later(30));
  await get(scene);
  expect(await get(scene)).toBe('rate-limit');
  expect([scene.clock.pending, scene.emitted('waiting')]).toEqual([0, []]);
});

test('rateLimit retains a bounded number of 10,000 origins', async () => {
  const policy = rateLimit({ rate: 1 });
  const scene = scenario([policy]);
  scene.origin.otherwise(() => status(204));
  for (let n = 0; n < 10_000; n++) await scene.fetch(`https://host-${n}.example.com/`);
  expect(Object.keys(policy.states())).toHaveLength(1_000);
});

test.each([
  [{ rate: 0 }, /rateLimit\.rate: 0 is not allowed; expected a whole number from 1/],
  [{ rate: 1, per: 0 }, /rateLimit\.per: 0 is not allowed; expected a duration above 0/],
  [{ rate: 1, burst: 0 }, /rateLimit\.burst: 0 is not allowed; expected a whole number from 1/],
  [{ burst: 5 }, /rateLimit\.burst: 5 is not allowed; expected a rate with it/],
  [{ per: '1m' }, /rateLimit\.per: '1m' is not allowed; expected a rate with it/],
  [{ maxWait: '5 s' }, /rateLimit\.maxWait: '5 s' is not allowed; did you mean '5s'\?/],
  [{ maxRetryAfter: -1 }, /rateLimit\.maxRetryAfter: -1 is not allowed/],
  [{ limit: 5 }, /rateLimit\.limit: 5 is not allowed; unknown option; known: rate, per, burst/],
])('an impossible rateLimit option throws an error with a reason: %j', (options, message) => {
  expect(() => rateLimit(options as never)).toThrow(message);
});
