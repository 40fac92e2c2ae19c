import { describe, expect, test } from 'vitest';
import type { CallOptions } from '../../../src/core/contract.ts';
import type { BreakerOptions } from '../../../src/policies/breaker/breaker.ts';
import { breaker } from '../../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../../src/policies/bulkhead.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../../src/policies/timeout.ts';
import { hang, networkError, ok, type Step, slow, status } from '../../../src/testing.ts';
import { many, statusOf } from '../../support/calls.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

type Init = RequestInit & { holdfast?: CallOptions };

const get = ({ fetch }: Scenario, init?: Init, url = URL_): Promise<number | string> =>
  statusOf(fetch(url, init));

const world = (options: BreakerOptions = {}) =>
  scenario([totalTimeout(), retry(), breaker(options), attemptTimeout()]);

const ONCE: Init = { holdfast: { retry: 0 } };

describe('a repetition that waits for others', () => {
  const blip = (scene: Scenario): Step => {
    return () => {
      if (scene.clock.ticks() < 600) throw networkError();
      return ok();
    };
  };
  test.each<[string, BreakerOptions, CallOptions]>([
    ['a total time of 3 s', {}, { timeout: { total: '3s', attempt: '2s' } }],
    ['maxWait: 0', { maxWait: 0 }, {}],
    ['maxWait: 1 s', { maxWait: '1s' }, {}],
    ['openFor: 8 s', { openFor: '8s' }, {}],
  ])('a waiting repetition is sent before the time of its call is up: %s', async (_, options, holdfast) => {
    const scene = world(options);
    scene.origin.otherwise(blip(scene));
    expect(await get(scene, { holdfast })).toBe(200);
  });

  test('a waiting repetition is sent in time to an origin that takes 6 s to respond', async () => {
    const scene = world();
    scene.origin.replies(...many(5, () => networkError()));
    scene.origin.otherwise(slow(scene.clock, 6_000));
    expect(await Promise.all(many(5, () => get(scene)))).toEqual(Array(5).fill(200));
  });
});

describe('a path that does not respond', () => {
  const rows: [string, Step, Init][] = [
    ['resets, a GET', () => Promise.reject(networkError()), {}],
    ['resets, a POST', () => Promise.reject(networkError()), { method: 'POST', body: 'x' }],
    ['hangs, a GET', hang(), {}],
  ];
  test.each(rows)(
    'a path that does not respond leaves the next probe to another path: %s there succeeds',
    async (_, step, init) => {
      const scene = world();
      scene.origin.otherwise((request, signal) =>
        request.url.endsWith('/broken')
          ? (step as (...given: unknown[]) => Promise<Response>)(request, signal)
          : ok(),
      );
      const broken = `${ORIGIN}/broken`;
      for (let n = 0; n < 5; n++) await get(scene, ONCE, broken);
      const waiting = many(4, () => get(scene, undefined, broken));
      expect(await get(scene, init)).toBe(200);
      await Promise.all(waiting);
    },
  );
});

test('a success of a call that was sent before its path had a circuit is evidence for the path', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  scene.origin.replies(...many(8, (n) => slow(scene.clock, 10 + 10 * n)), status(503));
  const early = many(8, () => scene.fetch(URL_));
  await get(scene);
  for (const call of early) {
    await call;
    scene.origin.replies(status(503));
    await get(scene);
  }
  expect(policy.states()[URL_]?.state).toBe('closed');
});

test('failures of an outage do not count eight hours later', async () => {
  const scene = world();
  scene.origin.otherwise(networkError());
  for (let n = 0; n < 6; n++) await get(scene);
  await scene.clock.advance(8 * 3_600_000);
  scene.origin.otherwise(() => ok());
  scene.origin.replies(networkError());
  expect(await get(scene)).toBe(200);
});

test('a call that times out in the bulkhead does not count against the origin', async () => {
  const policy = breaker();
  const scene = scenario([totalTimeout(), retry(), policy, bulkhead({ limit: 1 }), attemptTimeout()]);
  scene.origin.replies(slow(scene.clock, 9_000));
  const first = get(scene);
  for (let n = 0; n < 6; n++) await get(scene, { holdfast: { timeout: { total: '1s' }, retry: 0 } });
  expect(policy.states()[ORIGIN]?.state).toBe('closed');
  await first;
});

test('a repetition that the slow start rejects takes no permit', async () => {
  const scene = world();
  scene.origin.replies(...many(5, () => networkError()));
  for (let n = 0; n < 5; n++) await get(scene, ONCE);
  await get(scene);
  const began = scene.clock.ticks();
  let gets = 0;
  scene.origin.otherwise((request) => {
    if (request.method === 'POST')
      return new Promise<Response>(
        (_, reject) => void scene.clock.after(1_000, () => reject(networkError())),
      );
    if (++gets === 1) throw networkError();
    return ok();
  });
  const call = get(scene).then(() => scene.clock.ticks() - began);
  const posts = many(2, () => get(scene, { method: 'POST', body: '1' }));
  expect(await call).toBeLessThan(1_500);
  await Promise.all(posts);
});

test('the error of a circuit in slow start says so', async () => {
  const scene = scenario([breaker({ maxWait: '500ms' })]);
  scene.origin.replies(...many(5, () => networkError()));
  for (let n = 0; n < 5; n++) await get(scene);
  await get(scene);
  scene.origin.replies(hang(), hang());
  const controller = new AbortController();
  const hanging = many(2, () => get(scene, { signal: controller.signal }));
  const error = await scene.fetch(URL_).catch((thrown) => thrown);
  expect(error.message).toContain('lets calls through a few at a time');
  controller.abort();
  await Promise.all(hanging);
});

test('an isolated origin stays in states() and in reset(), however many origins come after', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  policy.isolate(ORIGIN);
  for (let n = 0; n < 1_100; n++) await get(scene, undefined, `https://o${n}.example/`);
  expect(policy.states()[ORIGIN]?.state).toBe('isolated');
  policy.reset();
  expect(await get(scene)).toBe(200);
});

test('1,100 broken paths do not evict the open circuit of another origin', async () => {
  const policy = breaker({ failures: 1, openFor: '1h' });
  const scene = scenario([policy]);
  scene.origin.replies(networkError());
  await get(scene, undefined, 'https://down.example/');
  scene.origin.otherwise(() => status(500));
  for (let n = 0; n < 1_100; n++) await get(scene, undefined, `${ORIGIN}/p${n}`);
  expect(policy.states()['https://down.example']?.state).toBe('open');
});

test('reset() takes the key of a path, as states() shows it', async () => {
  const policy = breaker({ failures: 1, maxWait: 0 });
  const scene = scenario([policy]);
  scene.origin.replies(status(500));
  await get(scene);
  expect(await get(scene)).toBe('circuit-open');
  policy.reset(URL_);
  expect(await get(scene)).toBe(200);
});

test('a cache that fails to say whether it has a cached response does not fail the call', async () => {
  const scene = scenario([
    (next) => (request, call) =>
      next(request, { ...call, standsIn: () => Promise.reject(new Error('the store failed')) }),
    breaker({ failures: 1 }),
  ]);
  scene.origin.replies(networkError());
  await get(scene);
  expect(await get(scene)).toBe(200);
});

describe('a probe URL with `successes: 2`', () => {
  test.each<[string, Step]>([
    ['fails', () => Promise.reject(networkError())],
    ['hangs', hang()],
  ])('a probe URL is requested with backoff when its second request %s', async (_, second) => {
    const scene = scenario([breaker({ failures: 1, probe: '/health', successes: 2 })]);
    let probes = 0;
    scene.origin.replies(networkError());
    await get(scene);
    scene.origin.otherwise((request, signal) => {
      if (!request.url.endsWith('/health')) return ok();
      if (++probes === 100) void scene.fetch.close();
      return probes > 1 ? (second as (...given: unknown[]) => Promise<Response>)(request, signal) : ok();
    });
    const call = get(scene);
    await scene.clock.advance(4_800);
    await scene.fetch.close();
    await call;
    expect(probes).toBeLessThan(10);
  });
});
