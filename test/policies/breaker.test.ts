import { describe, expect, test } from 'vitest';
import { breaker as make } from '../../src/policies/breaker/breaker.ts';
import type { BreakerOptions } from '../../src/policies/breaker/options.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { brokenBody, hang, networkError, ok, type Step, slow, status } from '../../src/testing/index.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** With one threshold for every kind of failure. */
const breaker = (options: BreakerOptions = {}) => make({ failures: 5, ...options });

const get = ({ fetch }: Scenario, url = URL_): Promise<number | string> =>
  fetch(url).then(
    async (response) => {
      await response.text().catch(() => {});
      return response.status;
    },
    (error) => error.code ?? error.name,
  );

async function trip(scene: Scenario, how: () => Step = networkError, times = 5): Promise<void> {
  for (let call = 0; call < times; call++) {
    scene.origin.replies(how());
    await get(scene);
  }
}

describe('opens', () => {
  test.each<[string, () => Step]>([
    ['network errors', networkError],
    ['503', () => status(503)],
    ['408', () => status(408)],
    ['bodies that break off', brokenBody],
  ])('after five of these in a row: %s', async (_, how) => {
    const policy = breaker();
    const scene = scenario([policy]);
    await trip(scene, how);
    expect(policy.states()[ORIGIN]?.state).toBe('open');
    expect(await get(scene)).toBe('circuit-open');
    expect(scene.origin.seen).toHaveLength(5);
  });

  test('after five time-outs, of attempts or of whole calls', async () => {
    for (const limits of [{ attempt: '1s' }, { total: '1s', attempt: false }] as const) {
      const policy = breaker();
      const scene = scenario([totalTimeout(limits), policy, attemptTimeout(limits)]);
      await trip(scene, hang);
      expect(policy.states()[ORIGIN]?.state).toBe('open');
    }
  });

  test('at half of at least ten calls in 30 s, also when none follow each other', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    for (let call = 0; call < 5; call++) {
      scene.origin.replies(ok(), status(503));
      await get(scene);
      await get(scene);
    }
    expect(policy.states()[ORIGIN]?.state).toBe('open');
  });

  test('by two calls that find no connection, where there are few to judge by; not by two bad answers or time-outs', async () => {
    for (const [how, state] of [
      [() => networkError(), 'open'],
      [() => status(503), 'closed'],
      [() => hang(), 'closed'],
    ] as [() => Step, string][]) {
      const policy = make();
      const scene = scenario([policy, attemptTimeout()]);
      await trip(scene, how, 2);
      expect(policy.states()[ORIGIN]?.state).toBe(state);
    }
    const busy = make();
    const scene = scenario([busy]);
    for (let call = 0; call < 10; call++) await get(scene);
    await trip(scene, networkError, 2);
    expect(busy.states()[ORIGIN]?.state).toBe('closed');
  });

  test('for as long as what it knows is new: after time-outs the next call is the probe', async () => {
    const scene = scenario([breaker(), attemptTimeout()]);
    await trip(scene, hang);
    expect(await get(scene)).toBe(200);
  });

  test('not by what was long ago', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    for (let call = 0; call < 20; call++) {
      scene.origin.replies(ok(), status(503));
      await get(scene);
      await get(scene);
      await scene.clock.advance(10_000);
    }
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
  });

  test.each([400, 401, 403, 404, 429, 501, 505])('not by %i', async (code) => {
    const policy = breaker();
    const scene = scenario([policy]);
    for (let call = 0; call < 20; call++) {
      scene.origin.replies(status(code));
      await get(scene);
    }
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
  });

  test('not by callers who go away', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    for (let call = 0; call < 20; call++) {
      const controller = new AbortController();
      scene.origin.replies(hang());
      const answer = scene.fetch(URL_, { signal: controller.signal });
      controller.abort();
      await expect(answer).rejects.toMatchObject({ name: 'AbortError' });
    }
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
  });

  test('for the origin that fails and no other', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    expect(await get(scene)).toBe('circuit-open');
    expect(await get(scene, 'https://other.example.com/')).toBe(200);
  });

  test('and the response that opens it is still the caller’s', async () => {
    const scene = scenario([breaker({ failures: 1 })]);
    scene.origin.replies(new Response('sorry', { status: 503 }));
    expect(await (await scene.fetch(URL_)).text()).toBe('sorry');
  });
});

describe('an open circuit', () => {
  test('says when to come back, and that nothing was sent', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    const error = await scene.fetch(URL_).catch((thrown) => thrown);
    expect(error).toMatchObject({
      name: 'CircuitOpenError',
      category: 'circuit-open',
      transient: true,
      attempts: [],
    });
    const wait = error.retryAt - scene.clock.now();
    expect(wait).toBeGreaterThanOrEqual(1_600);
    expect(wait).toBeLessThanOrEqual(2_400);
    expect(scene.told('refused')).toMatchObject([{ code: 'circuit-open', retryAt: error.retryAt }]);
  });

  test('is not retried against', async () => {
    const scene = scenario([retry({ budget: false }), breaker()]);
    scene.origin.otherwise(networkError());
    await trip(scene);
    const before = scene.origin.seen.length;
    scene.clock.slept.length = 0;
    expect(await get(scene)).toBe('circuit-open');
    expect(scene.origin.seen.length).toBe(before);
    expect(scene.clock.slept).toEqual([]);
  });

  test('lets one probe through, and closes after two that succeed', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    await trip(scene);
    await scene.clock.advance(6_000);
    scene.origin.replies(slow(scene.clock, 100));
    const probe = get(scene);
    const refused = await scene.fetch(URL_).catch((thrown) => thrown);
    expect(refused.code).toBe('circuit-open');
    // The probe's answer decides, and it should come soon.
    expect(refused.retryAt - scene.clock.now()).toBeLessThanOrEqual(1_000);
    expect(await probe).toBe(200);
    expect(policy.states()[ORIGIN]?.state).toBe('half-open');
    expect(await get(scene)).toBe(200);
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
  });

  test('stays open longer each time a probe fails, up to 4 s unless it is told otherwise', async () => {
    const limits = { openFor: '5s', maxOpenFor: '30s' } as const;
    for (const [options, expected] of [
      [{}, [2_000, 4_000, 4_000, 4_000, 4_000]],
      [limits, [5_000, 10_000, 20_000, 30_000, 30_000]],
    ] as const) {
      const policy = breaker(options);
      const scene = scenario([policy]);
      await trip(scene);
      const waits: number[] = [];
      for (let time = 0; time < 5; time++) {
        waits.push((policy.states()[ORIGIN]?.retryAt as number) - scene.clock.now());
        await scene.clock.advance(waits.at(-1) as number);
        scene.origin.replies(networkError());
        expect(await get(scene)).toBe('network');
      }
      expected.forEach((ms, at) => {
        expect(waits[at]).toBeGreaterThanOrEqual(ms * 0.8);
        expect(waits[at]).toBeLessThanOrEqual(ms * 1.2);
      });
    }
  });

  test('gets the permit back from a probe that never answers, and from a caller who goes away', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    await scene.clock.advance(6_000);
    scene.origin.replies(hang());
    void get(scene);
    expect(await get(scene)).toBe('circuit-open');
    await scene.clock.advance(10_000);
    const controller = new AbortController();
    scene.origin.replies(hang());
    const gone = scene.fetch(URL_, { signal: controller.signal }).catch(() => {});
    controller.abort();
    await gone;
    expect(await get(scene)).toBe(200);
  });
});

test('a result of an earlier state is ignored', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  scene.origin.replies(slow(scene.clock, 7_000));
  const late = get(scene);
  await trip(scene, () => () => Promise.reject(networkError()));
  expect(policy.states()[ORIGIN]?.state).toBe('open');
  await scene.clock.advance(7_000);
  expect(await late).toBe(200);
  expect(policy.states()[ORIGIN]?.state).toBe('open');
});

test('isolate refuses until reset, and a subscriber hears of both', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  const heard: unknown[] = [];
  const end = policy.subscribe((change) => heard.push(change));
  policy.isolate(ORIGIN);
  expect(await get(scene)).toBe('circuit-open');
  await scene.clock.advance(3_600_000);
  expect(await get(scene)).toBe('circuit-open');
  policy.reset(ORIGIN);
  expect(await get(scene)).toBe(200);
  end();
  policy.isolate(ORIGIN);
  expect(heard).toEqual([
    { origin: ORIGIN, from: 'closed', to: 'isolated' },
    { origin: ORIGIN, from: 'isolated', to: 'closed' },
  ]);
});

test('two pipelines share a circuit by sharing the policy', async () => {
  const policy = breaker();
  await trip(scenario([policy]));
  expect(await get(scenario([policy]))).toBe('circuit-open');
});

test('it needs no timer', async () => {
  const scene = scenario([breaker()]);
  await trip(scene);
  expect(scene.clock.pending).toBe(0);
});

test('what it remembers of origins is bounded', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  for (let n = 0; n < 1_100; n++) await scene.fetch(`https://host-${n}.example.com/`);
  expect(Object.keys(policy.states())).toHaveLength(1_000);
});

test.each([
  [{ failures: 0 }, /breaker\.failures: 0 is not allowed/],
  [{ rate: 2 }, /breaker\.rate: 2 is not allowed; expected a number from 0 to 1/],
  [{ window: 0 }, /breaker\.window: 0 is not allowed; expected a duration above 0/],
  [{ openfor: 1 }, /breaker\.openfor: 1 is not allowed; unknown option/],
])('an option that cannot be meant is refused with a reason: %j', (options, message) => {
  expect(() => breaker(options as never)).toThrow(message);
});
