import { describe, expect, test } from 'vitest';
import type { CircuitOpenError } from '../../../src/core/errors.ts';
import type { BreakerOptions } from '../../../src/policies/breaker/breaker.ts';
import { breaker as make } from '../../../src/policies/breaker/breaker.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../../src/policies/timeout.ts';
import { brokenBody, hang, networkError, ok, type Step, slow, status } from '../../../src/testing.ts';
import { many, statusOf } from '../../support/calls.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

/** A breaker whose calls do not wait, so that a test sees each state. */
const breaker = (options: BreakerOptions = {}) => make({ maxWait: 0, ...options });

const get = ({ fetch }: Scenario, url = URL_, init?: RequestInit): Promise<number | string> =>
  statusOf(fetch(url, init));

async function trip(scene: Scenario, how: () => Step = networkError, times = 5): Promise<void> {
  for (let call = 0; call < times; call++) {
    scene.origin.replies(how());
    await get(scene);
  }
}

describe('a circuit opens', () => {
  test.each<[string, () => Step, string]>([
    ['network errors', networkError, ORIGIN],
    ['503', () => status(503), URL_],
    ['408', () => status(408), URL_],
  ])('a circuit opens after five calls in a row that end with %s', async (_, how, key) => {
    const policy = breaker();
    const scene = scenario([policy]);
    await trip(scene, how, 4);
    expect(policy.states()[key]?.state).toBe('closed');
    await trip(scene, how, 1);
    expect(policy.states()[key]?.state).toBe('open');
    expect(await get(scene)).toBe('circuit-open');
    expect(scene.origin.seen).toHaveLength(5);
  });

  test('a circuit opens after five timeouts in a row, of attempts or of whole calls', async () => {
    for (const limits of [{ attempt: '1s' }, { total: '1s', attempt: false }] as const) {
      const policy = breaker();
      const scene = scenario([totalTimeout(limits), policy, attemptTimeout(limits)]);
      await trip(scene, hang);
      expect(policy.states()[ORIGIN]?.state).toBe('open');
    }
  });

  test('a circuit opens for the path that responds 5xx, and not for other paths of its origin', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    await trip(scene, () => status(500));
    expect(await get(scene, `${URL_}?page=2`)).toBe('circuit-open');
    expect(await get(scene, `${ORIGIN}/users`)).toBe(200);
    expect(policy.states()).toMatchObject({ [URL_]: { state: 'open' }, [ORIGIN]: { state: 'closed' } });
  });

  test('a circuit opens for the origin that does not respond, with all its paths, and for no other origin', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    expect(await get(scene, `${ORIGIN}/users`)).toBe('circuit-open');
    expect(await get(scene, 'https://other.example.com/')).toBe(200);
  });

  test('the response that opens a circuit still goes to the caller', async () => {
    const scene = scenario([breaker({ failures: 1 })]);
    scene.origin.replies(new Response('sorry', { status: 503 }));
    expect(await (await scene.fetch(URL_)).text()).toBe('sorry');
    expect(await get(scene)).toBe('circuit-open');
  });
});

describe('a circuit stays closed', () => {
  const rows: [string, (scene: Scenario) => Promise<unknown>][] = [
    [
      'when calls fail that were in flight together',
      async (scene) => {
        scene.origin.otherwise(networkError());
        await Promise.all(many(50, () => get(scene)));
      },
    ],
    [
      'when one call in five succeeds',
      async (scene) => {
        for (let round = 0; round < 20; round++) {
          await trip(scene, networkError, 4);
          await get(scene);
        }
      },
    ],
    [
      'when bodies break',
      async (scene) => {
        for (let call = 0; call < 20; call++) {
          scene.origin.replies(brokenBody());
          await expect(get(scene)).rejects.toThrow();
        }
      },
    ],
    ...[400, 401, 403, 404, 429, 501, 505].map((code): (typeof rows)[number] => [
      `when the origin responds ${code}`,
      (scene) => trip(scene, () => status(code), 20),
    ]),
    [
      'when callers abort',
      async (scene) => {
        for (let call = 0; call < 20; call++) {
          const controller = new AbortController();
          scene.origin.replies(hang());
          const response = scene.fetch(URL_, { signal: controller.signal });
          controller.abort();
          await expect(response).rejects.toMatchObject({ name: 'AbortError' });
        }
      },
    ],
  ];
  test.each(rows)('a circuit stays closed %s', async (_, work) => {
    const policy = breaker();
    const scene = scenario([policy]);
    await work(scene);
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
    expect(policy.states()[URL_]?.state ?? 'closed').toBe('closed');
  });

  test('a circuit stays closed when one call fails in many attempts', async () => {
    const policy = breaker();
    const scene = scenario([retry({ limit: 20, budget: false }), policy]);
    scene.origin.otherwise(networkError());
    await get(scene);
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
  });

  test('a circuit stays closed when 30 callers at once meet an origin that resets half of its connections', async () => {
    const policy = make();
    const scene = scenario([retry(), policy], { seed: 7 });
    scene.origin.otherwise(() => {
      if (scene.host.random() < 0.5) throw networkError();
      return ok();
    });
    for (let round = 0; round < 20; round++) await Promise.all(many(30, () => get(scene)));
    expect(scene.emitted('circuit')).toEqual([]);
  });
});

describe('an open circuit', () => {
  test('the error of an open circuit has its calls, the time to come back, and that nothing was sent', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    const error = (await scene.fetch(URL_).catch((thrown) => thrown)) as CircuitOpenError;
    expect(error).toMatchObject({
      name: 'CircuitOpenError',
      category: 'circuit-open',
      transient: true,
      attempts: [],
      circuit: { key: ORIGIN, is: 'open', failures: 5, lastFailure: 'network' },
    });
    expect(error.message).toBe(
      `circuit of ${ORIGIN} is open after 5 failed calls in a row (the last: network); next probe at ${new Date(error.retryAt as number).toISOString()}`,
    );
    const wait = (error.retryAt as number) - scene.clock.now();
    expect(wait).toBeGreaterThanOrEqual(240);
    expect(wait).toBeLessThanOrEqual(301);
    expect(scene.emitted('refused')).toMatchObject([{ code: 'circuit-open', retryAt: error.retryAt }]);
    expect(scene.emitted('circuit')).toMatchObject([
      { origin: ORIGIN, from: 'closed', to: 'open', failures: 5, lastFailure: 'network' },
    ]);
  });

  test('the circuit of a path keeps the path out of the error message', async () => {
    const scene = scenario([breaker({ failures: 1 })]);
    scene.origin.replies(status(503));
    await get(scene, `${ORIGIN}/reset/secret-token`);
    const error = await scene.fetch(`${ORIGIN}/reset/secret-token`).catch((thrown) => thrown);
    expect(error.code).toBe('circuit-open');
    expect(error.message).toContain(`a path of ${ORIGIN}`);
    expect(`${error.message} ${JSON.stringify(error)}`).not.toContain('secret-token');
  });

  test('an open circuit lets one probe through, and closes when it succeeds', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    await trip(scene);
    await scene.clock.advance(300);
    scene.origin.replies(slow(scene.clock, 100));
    const probe = get(scene);
    expect(await get(scene)).toBe('circuit-open');
    expect(await probe).toBe(200);
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
  });

  test('an open circuit closes after as many probes as `successes` says', async () => {
    const policy = breaker({ successes: 2 });
    const scene = scenario([policy]);
    await trip(scene);
    await scene.clock.advance(300);
    await get(scene);
    expect(policy.states()[ORIGIN]?.state).toBe('half-open');
    await get(scene);
    expect(policy.states()[ORIGIN]?.state).toBe('closed');
  });

  test('an open circuit is probed at 0.3, 0.6, 1.2, 2.4 s and then every 4 s, up to a fifth earlier', async () => {
    const policy = breaker();
    const scene = scenario([policy]);
    await trip(scene);
    const waits: number[] = [];
    for (let time = 0; time < 7; time++) {
      waits.push((policy.states()[ORIGIN]?.retryAt as number) - scene.clock.now());
      await scene.clock.advance(waits.at(-1) as number);
      scene.origin.replies(networkError());
      expect(await get(scene)).toBe('network');
    }
    [300, 300, 600, 1_200, 2_400, 4_000, 4_000].forEach((ms, at) => {
      expect(waits[at]).toBeGreaterThanOrEqual(ms * 0.8);
      expect(waits[at]).toBeLessThanOrEqual(ms + 1);
    });
  });

  test('a probe that never ends and a caller that aborts release the permit', async () => {
    const scene = scenario([breaker()]);
    await trip(scene);
    await scene.clock.advance(300);
    scene.origin.replies(hang());
    void get(scene);
    expect(await get(scene)).toBe('circuit-open');
    await scene.clock.advance(4_000);
    const controller = new AbortController();
    scene.origin.replies(hang());
    const gone = scene.fetch(URL_, { signal: controller.signal }).catch(() => {});
    controller.abort();
    await gone;
    expect(await get(scene)).toBe(200);
  });

  test('an open circuit does not cost a call the response that it has: a 503 is not repeated once its path is open', async () => {
    const scene = scenario([retry({ jitter: 'none' }), make({ failures: 1, openFor: '2s' })]);
    scene.origin.otherwise(status(503));
    expect(await get(scene)).toBe(503);
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.ticks()).toBeLessThan(1_000);
  });
});

test('a circuit ignores results of an earlier state', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  scene.origin.replies(slow(scene.clock, 200));
  const late = get(scene);
  await trip(scene, () => () => Promise.reject(networkError()));
  expect(policy.states()[ORIGIN]?.state).toBe('open');
  await scene.clock.advance(200);
  expect(await late).toBe(200);
  expect(policy.states()[ORIGIN]?.state).toBe('open');
});

test('isolate rejects all calls until reset, and a subscriber receives both changes', async () => {
  const policy = make();
  const scene = scenario([policy]);
  const changes: unknown[] = [];
  const end = policy.subscribe((change) => changes.push(change));
  policy.isolate(ORIGIN);
  const error = await scene.fetch(URL_).catch((thrown) => thrown);
  expect(error.message).toBe(`circuit of ${ORIGIN} is isolated by the application`);
  expect(scene.clock.ticks()).toBe(0);
  await scene.clock.advance(3_600_000);
  expect(await get(scene)).toBe('circuit-open');
  policy.reset(ORIGIN);
  expect(await get(scene)).toBe(200);
  end();
  policy.isolate(ORIGIN);
  expect(changes).toEqual([
    { origin: ORIGIN, from: 'closed', to: 'isolated' },
    { origin: ORIGIN, from: 'isolated', to: 'closed' },
  ]);
});

test.each(['api.example.com', 'api.example.com:8080', 'httpx://a', '*', undefined])(
  'isolate(%j) throws: it would isolate nothing',
  (given) => {
    expect(() => make().isolate(given as string)).toThrow(/breaker.isolate: .* expected an origin such as/);
  },
);

test('an origin with a slash is the origin, even if the path `/` has its own circuit since', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  scene.origin.replies(slow(scene.clock, 100, () => status(500)));
  const calling = get(scene, `${ORIGIN}/`);
  policy.isolate(`${ORIGIN}/`);
  expect(await calling).toBe(500);
  expect(Object.keys(policy.states()).sort()).toEqual([ORIGIN, `${ORIGIN}/`]);
  policy.reset(`${ORIGIN}/`);
  expect(await get(scene)).toBe(200);
});

test('two pipelines share a circuit by sharing the policy', async () => {
  const policy = breaker();
  await trip(scenario([policy]));
  expect(await get(scenario([policy]))).toBe('circuit-open');
});

test('a breaker needs no timer while no call waits', async () => {
  const scene = scenario([breaker()]);
  await trip(scene);
  expect(scene.clock.pending).toBe(0);
});

test('the circuits of 1,100 origins, and of 10,000 broken paths, take bounded memory', async () => {
  const policy = breaker();
  const scene = scenario([policy]);
  for (let n = 0; n < 1_100; n++) await scene.fetch(`https://host-${n}.example.com/`);
  expect(Object.keys(policy.states())).toHaveLength(1_000);
  scene.origin.otherwise(() => status(500));
  for (let n = 0; n < 10_000; n++) await scene.fetch(`${ORIGIN}/${n}`);
  expect(Object.keys(policy.states())).toHaveLength(2_000);
  expect(policy.states()[ORIGIN]?.state).toBe('closed');
});

test.each([
  [{ failures: 0 }, /breaker\.failures: 0 is not allowed/],
  [{ openFor: 0 }, /breaker\.openFor: 0 is not allowed; expected a duration above 0/],
  [{ maxWait: 'long' }, /breaker\.maxWait: 'long' is not allowed/],
  [{ openfor: 1 }, /breaker\.openfor: 1 is not allowed; unknown option/],
])('an impossible option throws an error with a reason: %j', (options, message) => {
  expect(() => breaker(options as never)).toThrow(message);
});
