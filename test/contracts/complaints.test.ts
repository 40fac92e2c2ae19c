/**
 * The complaints of users of the peers, by the number (or `M`: measured by us): each fault
 * is a test here. Left out: ky #587 and #778 beyond their first test (single-flight refresh), and
 * ofetch #21 (a time limit that grows).
 */
import { describe, expect, test } from 'vitest';
import { standard } from '../../src/client/standard.ts';
import type { CallOptions, Policy } from '../../src/core/contract.ts';
import { outcomeOf } from '../../src/core/outcome.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { hang, networkError, ok, slow, stalledBody, status } from '../../src/testing.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/x`;
const OTHER = 'https://other.example.com/x';
const POST = { method: 'POST', body: 'order' };

const times = <T>(count: number, make: (at: number) => T): T[] =>
  Array.from({ length: count }, (_, at) => make(at));

const outcomes = async (calls: Promise<Response>[]): Promise<unknown[]> =>
  (await Promise.allSettled(calls)).map((each) =>
    each.status === 'fulfilled' ? each.value.status : (each.reason as { code: string }).code,
  );

describe('ky', () => {
  test('ky #647: a body that stalls does not hang the call', async () => {
    const { fetch, origin, clock } = scenario(standard({ timeout: { idle: '3s' } }));
    origin.replies(stalledBody().response);
    const text = (await fetch(URL_)).text();
    text.catch(() => {});
    await clock.advance(3_000);
    await expect(text).rejects.toMatchObject({ code: 'timeout-idle' });
  });

  test.each([
    ['text', () => ({ method: 'PUT', body: 'order' }), 0],
    ['the body of a Request', () => new Request(URL_, { method: 'PUT', body: 'order' }), 1],
  ])(
    'ky #831, #650, #569: %s is cloned no more often than necessary, in any number of attempts',
    async (_, request, copies) => {
      const { fetch, origin } = scenario(
        standard({ retry: { limit: 5, delay: () => 0, budget: false }, breaker: false }),
      );
      origin.otherwise(status(503));
      const native = Request.prototype.clone;
      let cloned = 0;
      Request.prototype.clone = function () {
        cloned++;
        return native.call(this);
      };
      try {
        const given = request();
        await (given instanceof Request ? fetch(given) : fetch(URL_, given));
      } finally {
        Request.prototype.clone = native;
      }
      expect(origin.seen.map((seen) => seen.body)).toEqual(Array(6).fill('order'));
      expect(cloned).toBeLessThanOrEqual(copies);
    },
  );

  test('ky #587, #778: a token is renewed before a 401 is tried again', async () => {
    let token = 'old';
    const { fetch, origin } = scenario([
      retry({
        delay: () => 0,
        shouldRetry: ({ response }) => response?.status === 401 || undefined,
        beforeRetry: async ({ request }) => {
          token = 'new';
          return new Request(request, { headers: { authorization: token } });
        },
      }),
    ]);
    origin.replies(status(401), ok());
    expect((await fetch(URL_, { headers: { authorization: token } })).status).toBe(200);
    expect(origin.seen.map(({ headers }) => headers.get('authorization'))).toEqual(['old', 'new']);
  });

  test('ky #509: clients that fail at once do not come back at once', async () => {
    const scene = scenario(standard({ retry: { limit: 1, budget: false }, breaker: false }));
    scene.origin.otherwise(networkError());
    await Promise.allSettled(times(50, () => scene.fetch(URL_)));
    const delays = scene.emitted('retry').map(({ delay }) => delay);
    expect(new Set(delays).size).toBe(50);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(300);
    expect(Math.min(...delays)).toBeLessThan(330);
    expect(Math.max(...delays)).toBeGreaterThan(420);
  });
});

describe('ffetch', () => {
  test('ffetch M: the response that opens the circuit still goes to the caller', async () => {
    const { fetch, origin } = scenario([breaker({ failures: 1, maxWait: 0 })]);
    origin.replies(status(503));
    const result = await fetch(URL_);
    expect([result.status, await result.text()]).toEqual([503, 'status 503']);
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'circuit-open' });
  });

  test('ffetch M: aborted calls do not open a circuit, and an open one does not concern another origin', async () => {
    const { fetch, origin, clock } = scenario([breaker({ failures: 2, maxWait: 0 })]);
    origin.otherwise(hang());
    const controller = new AbortController();
    const left = outcomes(times(5, () => fetch(URL_, { signal: controller.signal })));
    clock.after(10, () => controller.abort());
    await left;
    origin.otherwise(networkError());
    for (let n = 0; n < 2; n++) expect(await outcomes([fetch(URL_)])).toEqual(['network']);
    expect(await outcomes([fetch(URL_), fetch(OTHER)])).toEqual(['circuit-open', 'network']);
  });

  test('ffetch M: of 50 calls at a half-open circuit one is the probe', async () => {
    const { fetch, origin, clock } = scenario([breaker({ failures: 1 })]);
    origin.replies(status(503));
    await fetch(URL_);
    await clock.advance(5_000);
    origin.otherwise(slow(clock, 100));
    const calls = outcomes(times(50, () => fetch(URL_)));
    expect(await calls).toEqual(Array(50).fill(200));
    const [, probe] = origin.seen;
    expect(origin.seen.filter(({ at }) => at < (probe?.at ?? 0) + 100)).toEqual([origin.seen[0], probe]);
  });

  test('ffetch M: the abort of the leader of a shared call does not abort the others', async () => {
    const { fetch, origin, clock } = scenario([dedupe()]);
    origin.otherwise(slow(clock, 100, () => ok('shared')));
    const controller = new AbortController();
    const leader = fetch(URL_, { signal: controller.signal });
    const follower = fetch(URL_);
    clock.after(10, () => controller.abort(new Error('mine')));
    expect(await outcomes([leader])).toEqual([undefined]);
    expect(await (await follower).text()).toBe('shared');
  });

  test('ffetch M: no call gets the response of another', async () => {
    let user = 'alice';
    const { fetch, origin, clock } = scenario([dedupe()], { partition: () => user });
    origin.replies(
      slow(clock, 100, () => ok('of alice')),
      slow(clock, 100, () => ok('of bob')),
    );
    const alice = fetch(URL_);
    user = 'bob';
    const bob = fetch(URL_);
    expect([await (await alice).text(), await (await bob).text()]).toEqual(['of alice', 'of bob']);
  });

  test('ffetch M: two writes of equal size are two writes', async () => {
    const { fetch, origin } = scenario([dedupe()]);
    await Promise.all(['one', 'two'].map((text) => fetch(URL_, { method: 'POST', body: new Blob([text]) })));
    expect(origin.seen.map(({ body }) => body).sort()).toEqual(['one', 'two']);
  });

  test('ffetch M: if every hedged attempt gets a 503, the caller gets one that can be read', async () => {
    const { fetch, origin, clock } = scenario([hedge({ delay: 50, share: 1 })]);
    origin.otherwise(slow(clock, 100, () => status(503)));
    for (let n = 0; n < 3; n++) {
      const result = await fetch(URL_);
      expect([result.status, await result.text()]).toEqual([503, 'status 503']);
    }
    expect(origin.seen.length).toBeGreaterThan(3);
  });
});

describe('cockatiel', () => {
  test('cockatiel #25: an abort ends the wait at once, and no further attempt starts', async () => {
    const { fetch, origin, clock } = scenario([
      retry({ delay: () => 60_000, backoffLimit: '60s', jitter: 'none' }),
    ]);
    origin.otherwise(status(503));
    const controller = new AbortController();
    clock.after(600, () => controller.abort(new Error('mine')));
    await expect(fetch(URL_, { signal: controller.signal })).rejects.toThrow('mine');
    expect(clock.ticks()).toBe(600);
    await clock.advance(120_000);
    expect(origin.seen).toHaveLength(1);
  });

  test('cockatiel #72: the limit of an attempt does not cut off the body of its response', async () => {
    const { fetch, origin, clock } = scenario([attemptTimeout({ attempt: '1s', idle: false })]);
    origin.replies(
      new Response(
        new ReadableStream({
          pull: (controller) =>
            new Promise<void>((give) => {
              clock.after(5_000, () => {
                controller.enqueue(new TextEncoder().encode('late'));
                controller.close();
                give();
              });
            }),
        }),
      ),
    );
    expect(await (await fetch(URL_)).text()).toBe('late');
  });

  test('cockatiel #99: the caller’s reason arrives unchanged', async () => {
    const { fetch, origin, clock } = scenario(standard());
    origin.otherwise(hang());
    const controller = new AbortController();
    const reason = { mine: true };
    clock.after(10, () => controller.abort(reason));
    await expect(fetch(URL_, { signal: controller.signal })).rejects.toBe(reason);
  });

  test('cockatiel #73: one probe that succeeds does not close the circuit', async () => {
    const circuit = breaker({ failures: 1, successes: 2 });
    const { fetch, origin, clock } = scenario([circuit]);
    origin.replies(status(503), ok(), status(503));
    await fetch(URL_);
    await clock.advance(3_000);
    await fetch(URL_);
    expect(circuit.states()[URL_]?.state).toBe('half-open');
    await fetch(URL_);
    expect(circuit.states()[URL_]?.state).toBe('open');
  });

  test('cockatiel #107: many calls that are retried through a circuit send no more than it lets through', async () => {
    const { fetch, origin } = scenario(
      standard({ retry: { limit: 3, budget: false }, breaker: { failures: 5 } }),
    );
    origin.otherwise(networkError());
    for (let n = 0; n < 5; n++) await outcomes([fetch(URL_, { holdfast: { retry: 0 } })]);
    await outcomes(times(20, () => fetch(URL_)));
    expect(origin.seen.length).toBeLessThanOrEqual(10);
  });

  test('cockatiel M: the backoff is as long as the options say', async () => {
    const scene = scenario([retry({ limit: 3, delay: (n) => 10 ** n, jitter: 'none' })]);
    scene.origin.otherwise(status(503));
    await scene.fetch(URL_);
    expect(scene.emitted('retry').map(({ delay }) => delay)).toEqual([10, 100, 1_000]);
  });
});

describe('opossum', () => {
  test('opossum #276, #388, #658: a probe that hangs does not keep the circuit half-open', async () => {
    const { fetch, origin, clock } = scenario([breaker({ failures: 1, probeTimeout: '4s' })]);
    origin.replies(status(503), hang());
    await fetch(URL_);
    await clock.advance(3_000);
    fetch(URL_).catch(() => {});
    await clock.advance(10_000);
    expect((await fetch(URL_)).status).toBe(200);
  });

  test('opossum #780, #861: the end of one attempt does not end the next, nor another call', async () => {
    const { fetch, origin, clock } = scenario([
      retry({ retryOnTimeout: true, delay: () => 0 }),
      attemptTimeout({ attempt: '1s' }),
    ]);
    origin.replies(
      hang(),
      slow(clock, 900, () => ok('second')),
      slow(clock, 999, () => ok('other')),
    );
    const first = fetch(URL_);
    await clock.advance(500);
    const [one, other] = await Promise.all([first, fetch(OTHER)]);
    expect([await one.text(), await other.text()].sort()).toEqual(['other', 'second']);
  });

  test('opossum #288: the first failure does not open the circuit', async () => {
    const { fetch, origin } = scenario([breaker()]);
    origin.replies(networkError(), ok());
    await outcomes([fetch(URL_)]);
    expect((await fetch(URL_)).status).toBe(200);
  });

  test('opossum #648: 10,000 origins do not grow the state without end', async () => {
    const circuit = breaker();
    const { fetch } = scenario([circuit, bulkhead(), retry()]);
    for (let n = 0; n < 10_000; n++) await fetch(`https://o${n}.example.com/`);
    expect(Object.keys(circuit.states()).length).toBeLessThanOrEqual(1_000);
  });
});

describe('axios, axios-retry', () => {
  test.each([
    ['a network error', networkError()],
    ['a 503', status(503)],
    ['an attempt timeout', hang()],
  ])('axios #66: a POST without an Idempotency-Key is sent once, also after %s', async (_, step) => {
    const { fetch, origin } = scenario(
      standard({ retry: { limit: 3, retryOnTimeout: true }, timeout: { attempt: '1s' } }),
    );
    origin.replies(step);
    await outcomes([fetch(URL_, POST)]);
    expect(origin.seen).toHaveLength(1);
  });

  test('axios #8, #39: timeouts are repeated if the option says so', async () => {
    const { fetch, origin } = scenario(
      standard({ retry: { retryOnTimeout: true }, timeout: { attempt: '1s' } }),
    );
    origin.replies(hang());
    expect((await fetch(URL_)).status).toBe(200);
  });

  test('axios #97, #150: one limit is of an attempt and one of the call, and the error says which', async () => {
    const limits = (timeout: object): Scenario =>
      scenario(standard({ timeout, retry: { retryOnTimeout: true, limit: 9, delay: () => 0 } }));
    const attempt = limits({ attempt: '1s', total: false });
    attempt.origin.otherwise(hang());
    expect(await outcomes([attempt.fetch(URL_, { holdfast: { retry: 0 } })])).toEqual(['timeout-attempt']);
    const total = limits({ attempt: '1s', total: '2500ms' });
    total.origin.otherwise(hang());
    expect(await outcomes([total.fetch(URL_)])).toEqual(['timeout-total']);
    expect(total.clock.ticks()).toBe(2_500);
  });

  test('axios #242: the end of the retries is emitted', async () => {
    const scene = scenario([retry({ budget: 1, limit: 3 })]);
    scene.origin.replies(status(503, { 'retry-after': '3600' }));
    await scene.fetch(URL_);
    scene.origin.otherwise(status(503));
    await scene.fetch(URL_);
    expect(scene.emitted('retry-abandoned').map(({ reason }) => reason)).toEqual(['retry-after', 'budget']);
  });
});

describe('ofetch', () => {
  test('ofetch #621: each attempt has its own limit, so the origin sees all of them', async () => {
    const { fetch, origin } = scenario([
      retry({ limit: 2, retryOnTimeout: true, delay: () => 0 }),
      attemptTimeout({ attempt: '1s' }),
    ]);
    origin.otherwise(hang());
    expect(await outcomes([fetch(URL_)])).toEqual(['timeout-attempt']);
    expect(origin.seen).toHaveLength(3);
  });

  test('ofetch #109: the statuses to repeat are an option', async () => {
    const { fetch, origin } = scenario([retry({ statusCodes: [418] })]);
    origin.replies(status(418), status(503));
    expect((await fetch(URL_)).status).toBe(503);
    expect(origin.seen).toHaveLength(2);
  });

  test('ofetch M: a caller’s abort is not repeated, with time limits or without', async () => {
    const { fetch, origin, clock } = scenario(standard({ retry: { retryOnTimeout: true } }));
    origin.otherwise(hang());
    const controller = new AbortController();
    clock.after(10, () => controller.abort());
    await outcomes([fetch(URL_, { signal: controller.signal })]);
    await clock.advance(60_000);
    expect(origin.seen).toHaveLength(1);
  });
});

describe('Polly, .NET', () => {
  test('Polly #1605: a delay has an upper limit', async () => {
    const scene = scenario([retry({ limit: 8, backoffLimit: '1s', jitter: 'none', budget: false })]);
    scene.origin.otherwise(status(503));
    await scene.fetch(URL_);
    expect(Math.max(...scene.emitted('retry').map(({ delay }) => delay))).toBe(1_000);
  });

  test.each<[string, CallOptions, number]>([
    ['#4814, #5443: a call may have options of its own', { retry: { limit: 1 } }, 2],
    ['#6163: a call may switch a policy off', { retry: false }, 1],
  ])('Polly %s', async (_, holdfast, sent) => {
    const { fetch, origin } = scenario(standard({ retry: { limit: 3 } }));
    origin.otherwise(status(503));
    await fetch(URL_, { holdfast });
    expect(origin.seen).toHaveLength(sent);
  });
});

describe('resilience4j', () => {
  test('resilience4j #172: retries have a budget', async () => {
    const { fetch, origin, clock } = scenario([retry({ limit: 2, budget: 10 })]);
    origin.replies(ok());
    await fetch(URL_);
    await clock.advance(10_000);
    origin.otherwise(status(503));
    for (let n = 0; n < 100; n++) await fetch(URL_);
    expect(origin.seen).toHaveLength(1 + 100 + 10);
  });

  test('resilience4j #1090, opossum #613: a half-open circuit gives as many permits as it has, even if probes are rejected', async () => {
    const { fetch, origin, clock } = scenario([breaker({ failures: 1 }), bulkhead({ limit: 1, queue: 0 })]);
    origin.replies(status(503));
    // A call keeps its slot until its body has been read.
    await (await fetch(URL_)).text();
    await clock.advance(3_000);
    origin.otherwise(slow(clock, 1_000));
    const first = outcomes(times(10, () => fetch(URL_)));
    expect((await first).filter((each) => each === 200)).toHaveLength(1);
    expect(origin.seen).toHaveLength(2);
  });

  test('resilience4j #1657: rejections by a bulkhead do not open the circuit', async () => {
    const circuit = breaker({ failures: 2 });
    const { fetch, origin, clock } = scenario([circuit, bulkhead({ limit: 1, queue: 0 })]);
    origin.otherwise(slow(clock, 1_000));
    const all = await outcomes(times(20, () => fetch(URL_)));
    expect(all.filter((each) => each === 'bulkhead-full')).toHaveLength(19);
    expect(circuit.states()[ORIGIN]?.state).toBe('closed');
  });

  test('resilience4j #614: the order of policies is the array’s', async () => {
    const order: string[] = [];
    const saying =
      (name: string): Policy =>
      (next) =>
      (request, call) => {
        order.push(name);
        return next(request, call);
      };
    await scenario([saying('a'), totalTimeout(), saying('b'), breaker(), saying('c')]).fetch(URL_);
    expect(order).toEqual(['a', 'b', 'c']);
  });
});

describe('AWS', () => {
  test('AWS #4754: one failure does not starve later successes', async () => {
    const { fetch, origin } = scenario([retry({ budget: 2, limit: 1 })]);
    origin.otherwise(status(503));
    await outcomes(times(5, () => fetch(URL_)));
    origin.otherwise(ok());
    for (let n = 0; n < 10; n++) await fetch(URL_);
    origin.replies(status(503));
    expect((await fetch(URL_)).status).toBe(200);
  });

  test('AWS #2384: the result and the error have the earlier attempts', async () => {
    const { fetch, origin } = scenario([retry({ limit: 2 })]);
    origin.replies(networkError(), status(503), ok());
    expect(outcomeOf(await fetch(URL_))?.attempts).toMatchObject([
      { error: 'network' },
      { status: 503 },
      { status: 200 },
    ]);
    origin.otherwise(networkError());
    await expect(fetch(URL_)).rejects.toMatchObject({
      attempts: [{ error: 'network' }, { error: 'network' }, { error: 'network' }],
    });
  });
});
