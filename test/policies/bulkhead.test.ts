import { describe, expect, test } from 'vitest';
import type { Policy } from '../../src/core/contract.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { bulkhead, type CallBulkhead } from '../../src/policies/bulkhead.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import {
  brokenBody,
  hang,
  networkError,
  ok,
  type Step,
  slow,
  stalledBody,
  status,
  testHost,
} from '../../src/testing.ts';
import { statusOf } from '../support/calls.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const OTHER = 'https://other.example.com/';

/** The status, or the code or name of the error; the body is read. */
const get = (
  { fetch }: Scenario,
  path = '/',
  { signal, ...options }: CallBulkhead & { signal?: AbortSignal } = {},
): Promise<unknown> =>
  statusOf(fetch(new URL(path, ORIGIN), { ...(signal && { signal }), holdfast: { bulkhead: options } }));

/** Responds when the test opens it. */
function gate(response: () => Response = () => ok()): { step: Step; open: () => void } {
  let open = (): void => {};
  const responding = new Promise<Response>((give) => {
    open = () => give(response());
  });
  return { step: () => responding, open };
}

const paths = ({ origin }: Scenario): string[] => origin.seen.map(({ url }) => new URL(url).pathname);

const error = (promise: Promise<unknown>): Promise<unknown> => promise.catch((thrown) => thrown);

test('six calls are in flight by default, and the others wait', async () => {
  const policy = bulkhead();
  const scene = scenario([policy]);
  scene.origin.otherwise(slow(scene.clock, 100));
  const results = Array.from({ length: 15 }, () => get(scene));
  expect(policy.states()).toEqual({ [ORIGIN]: { inFlight: 6, waiting: 9 } });
  expect(scene.emitted('waiting').map(({ ahead, for: what }) => [what, ahead])).toEqual(
    Array.from({ length: 9 }, (_, n) => ['bulkhead', n]),
  );
  expect(await Promise.all(results)).toEqual(Array(15).fill(200));
  expect(scene.origin.seen.map(({ at }) => at)).toEqual([
    ...Array(6).fill(0),
    ...Array(6).fill(100),
    ...Array(3).fill(200),
  ]);
  expect(policy.states()).toEqual({});
  expect(scene.clock.pending).toBe(0);
});

test('a free slot costs no timer and no event', async () => {
  const scene = scenario([bulkhead({ limit: 1 }), () => () => Promise.resolve(ok())]);
  await (await scene.fetch(ORIGIN)).text();
  expect([scene.emitted('waiting'), scene.clock.pending]).toEqual([[], 0]);
});

test('close() releases at once the slot of a body that nothing reads', async () => {
  const policy = bulkhead({ limit: 1 });
  const scene = scenario([policy]);
  const response = await scene.fetch(ORIGIN);
  expect(policy.states()).toMatchObject({ [ORIGIN]: { inFlight: 1 } });
  await scene.fetch.close();
  expect(policy.states()).toEqual({});
  await expect(response.text()).rejects.toMatchObject({ code: 'closed' });
});

test('two pipelines share slots by sharing the policy', async () => {
  const policy = bulkhead({ limit: 1, queue: 0 });
  const scene = scenario([policy]);
  scene.origin.replies(hang());
  void get(scene);
  expect(await get(scenario([policy]))).toBe('bulkhead-full');
});

describe('the release of a slot', () => {
  const held = async (
    body: Response,
  ): Promise<{ scene: Scenario; response: Response; free: () => boolean }> => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([policy]);
    scene.origin.replies(body);
    const response = await scene.fetch(ORIGIN);
    return { scene, response, free: () => policy.states()[ORIGIN] === undefined };
  };

  test('a call has its slot until the body has been read', async () => {
    const { response, free, scene } = await held(ok());
    expect(free()).toBe(false);
    const next = get(scene);
    for (let turn = 0; turn < 10; turn++) await null;
    expect(scene.origin.seen).toHaveLength(1);
    await response.text();
    expect(await next).toBe(200);
    expect(free()).toBe(true);
    expect(scene.clock.pending).toBe(0);
  });

  test('a call has its slot until the body was cancelled', async () => {
    const { response, free } = await held(stalledBody().response);
    expect(free()).toBe(false);
    await response.body?.cancel();
    expect(free()).toBe(true);
  });

  test('a call has its slot until the body broke', async () => {
    const { response, free } = await held(brokenBody());
    expect(await error(response.text())).toBeInstanceOf(TypeError);
    expect(free()).toBe(true);
  });

  test('a call that gives its slot back with the headers of a 404 gives it back once', async () => {
    const policy = bulkhead({ limit: 2 });
    const scene = scenario([policy]);
    scene.origin.replies(stalledBody().response, ok('none', { status: 404 }), stalledBody().response);
    await scene.fetch(ORIGIN);
    const response = await scene.fetch(ORIGIN);
    await scene.fetch(ORIGIN);
    await response.text();
    expect(policy.states()).toEqual({ [ORIGIN]: { inFlight: 2, waiting: 0 } });
    await scene.fetch.close();
  });

  test('a call has its slot until the caller aborted during the body', async () => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([policy]);
    scene.origin.replies(stalledBody().response);
    const controller = new AbortController();
    const response = await scene.fetch(ORIGIN, { signal: controller.signal });
    const text = error(response.text());
    const reason = new Error('enough');
    controller.abort(reason);
    expect(await text).toBe(reason);
    expect(policy.states()).toEqual({});
  });

  test('a call has its slot until one of two clones has been read', async () => {
    const { response, free } = await held(ok());
    const clone = response.clone();
    expect(free()).toBe(false);
    await clone.text();
    expect(free()).toBe(true);
    expect(await response.text()).toBe('ok');
    expect(free()).toBe(true);
  });

  test('a call has its slot until the headers came, if there is no body', async () => {
    const { free } = await held(status(204));
    expect(free()).toBe(true);
  });

  test('a call has its slot until it failed, in any way', async () => {
    const policy = bulkhead({ limit: 1 });
    const throws: Policy = () => () => {
      throw new Error('not even a promise');
    };
    for (const [inner, step] of [
      [[], networkError()],
      [[attemptTimeout('1s')], hang()],
      [[throws], ok()],
    ] as [Policy[], Step][]) {
      const scene = scenario([policy, ...inner]);
      scene.origin.replies(step);
      await error(scene.fetch(ORIGIN));
      expect(policy.states()).toEqual({});
    }
  });
});

describe('a waiting call', () => {
  test('waiting calls are released by priority, and by arrival within one priority', async () => {
    const scene = scenario([bulkhead({ limit: 1 })]);
    const first = gate();
    scene.origin.replies(first.step);
    const results = [
      get(scene, '/first'),
      get(scene, '/low-1', { priority: 'low' }),
      get(scene, '/normal-1'),
      get(scene, '/high-1', { priority: 'high' }),
      get(scene, '/normal-2', { priority: 'normal' }),
      get(scene, '/low-2', { priority: 'low' }),
      get(scene, '/high-2', { priority: 'high' }),
    ];
    expect(scene.emitted('waiting').map(({ ahead }) => ahead)).toEqual([0, 0, 0, 2, 4, 1]);
    first.open();
    await Promise.all(results);
    expect(paths(scene)).toEqual([
      '/first',
      '/high-1',
      '/high-2',
      '/normal-1',
      '/normal-2',
      '/low-1',
      '/low-2',
    ]);
  });

  test('a waiting call that aborts ends at once, with the caller’s reason, and leaves its slot to another', async () => {
    const policy = bulkhead({ limit: 1, queue: 1 });
    const scene = scenario([policy]);
    const first = gate();
    scene.origin.replies(first.step);
    const busy = get(scene, '/first');
    const controller = new AbortController();
    const reason = { my: 'reason' };
    const gone = error(scene.fetch(`${ORIGIN}/gone`, { signal: controller.signal }));
    controller.abort(reason);
    expect(policy.states()[ORIGIN]).toEqual({ inFlight: 1, waiting: 0 });
    expect(await gone).toBe(reason);
    expect(scene.clock.pending).toBe(0);
    const next = get(scene, '/next');
    first.open();
    expect(await Promise.all([busy, next])).toEqual([200, 200]);
    expect(paths(scene)).toEqual(['/first', '/next']);
    expect(policy.states()).toEqual({});
  });

  test('a listener of the waiting event may abort the call', async () => {
    const controller = new AbortController();
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([policy], {
      onEvent: ({ type }) => type === 'waiting' && controller.abort('heard'),
    });
    scene.origin.replies(hang());
    void get(scene);
    expect(await error(scene.fetch(ORIGIN, { signal: controller.signal }))).toBe('heard');
    expect(policy.states()[ORIGIN]).toEqual({ inFlight: 1, waiting: 0 });
    expect(scene.clock.pending).toBe(0);
  });

  test('a call waits 5 s at most', async () => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([policy]);
    scene.origin.replies(hang());
    void get(scene);
    expect(await error(scene.fetch(ORIGIN))).toMatchObject({
      name: 'CapacityError',
      code: 'bulkhead-wait',
      category: 'capacity',
      transient: true,
      origin: ORIGIN,
      callId: expect.any(String),
      attempts: [],
    });
    expect(scene.clock.ticks()).toBe(5_000);
    expect(scene.emitted('refused')).toMatchObject([{ code: 'bulkhead-wait', origin: ORIGIN }]);
    expect(policy.states()[ORIGIN]).toEqual({ inFlight: 1, waiting: 0 });
    expect(scene.clock.pending).toBe(0);
  });

  test('the total time of a call bounds its wait, too', async () => {
    const policy = bulkhead({ limit: 1, maxWait: false });
    const scene = scenario([totalTimeout({ total: '20s' }), policy]);
    scene.origin.replies(hang());
    void scene.fetch(ORIGIN, { holdfast: { timeout: false } });
    expect(await get(scene)).toBe('timeout-total');
    expect(scene.clock.ticks()).toBe(20_000);
    expect(policy.states()[ORIGIN]).toEqual({ inFlight: 1, waiting: 0 });
  });

  test('the wait of a call does not count for its attempt timeout', async () => {
    const scene = scenario([bulkhead({ limit: 1 }), attemptTimeout('1s')]);
    scene.origin.otherwise(slow(scene.clock, 900));
    expect(await Promise.all([get(scene), get(scene), get(scene)])).toEqual([200, 200, 200]);
    expect(scene.clock.ticks()).toBe(2_700);
  });

  test('a waiting call does not delay other origins', async () => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([policy]);
    scene.origin.replies(hang());
    void get(scene);
    expect(await get(scene, OTHER)).toBe(200);
  });
});

describe('a full queue', () => {
  test('a full queue rejects a new call at once', async () => {
    const scene = scenario([bulkhead({ limit: 1, queue: 1 })]);
    scene.origin.replies(hang());
    void get(scene);
    void get(scene, '/waits');
    expect(await error(scene.fetch(ORIGIN))).toMatchObject({
      name: 'CapacityError',
      code: 'bulkhead-full',
      origin: ORIGIN,
    });
    expect(scene.clock.ticks()).toBe(0);
    expect(scene.emitted('refused')).toMatchObject([{ code: 'bulkhead-full' }]);
  });

  test('a call that took the place of another gets the slot that a listener frees', async () => {
    const controller = new AbortController();
    const scene = scenario([bulkhead({ limit: 1, queue: 1 })], {
      onEvent({ type }) {
        if (type === 'refused') controller.abort('enough');
      },
    });
    scene.origin.replies(hang());
    const first = get(scene, '/first', { signal: controller.signal });
    const low = get(scene, '/low', { priority: 'low' });
    const high = get(scene, '/high', { priority: 'high' });
    expect(await Promise.all([low, high])).toEqual(['bulkhead-full', 200]);
    await first;
    expect(scene.clock.ticks()).toBe(0);
  });

  test('a full queue rejects the newest call of the lowest priority for one of a higher priority', async () => {
    const scene = scenario([bulkhead({ limit: 1, queue: 3 })]);
    const first = gate();
    scene.origin.replies(first.step);
    const settled: unknown[] = [];
    const call = (name: string, priority: 'high' | 'normal' | 'low'): Promise<unknown> =>
      get(scene, name, { priority }).then((end) => settled.push([name, end]));
    const results = [
      call('/first', 'low'),
      call('/low-1', 'low'),
      call('/normal', 'normal'),
      call('/low-2', 'low'),
      call('/low-3', 'low'),
      call('/high-1', 'high'),
      call('/high-2', 'high'),
      call('/high-3', 'high'),
      call('/high-4', 'high'),
      call('/normal-2', 'normal'),
    ];
    for (let turn = 0; turn < 20; turn++) await null;
    expect(settled.sort()).toEqual(
      ['/high-4', '/low-1', '/low-2', '/low-3', '/normal', '/normal-2'].map((each) => [
        each,
        'bulkhead-full',
      ]),
    );
    expect(scene.clock.pending).toBe(3);
    first.open();
    await Promise.all(results);
    expect(paths(scene)).toEqual(['/first', '/high-1', '/high-2', '/high-3']);
    expect(scene.clock.pending).toBe(0);
  });

  test('a call without a free slot is rejected at once if calls may not share I/O', async () => {
    const host = testHost({ canShareIO: false });
    const scene = scenario([bulkhead({ limit: 1 })], { host });
    scene.origin.replies(hang());
    void get(scene);
    expect(await get(scene)).toBe('bulkhead-full');
  });
});

describe('bulkhead with other policies', () => {
  test('a rejection does not count for the breaker, and is not repeated', async () => {
    const circuit = breaker({ failures: 1 });
    const scene = scenario([retry(), circuit, bulkhead({ limit: 1, queue: 0 })]);
    scene.origin.replies(hang());
    void get(scene);
    for (let call = 0; call < 20; call++) expect(await get(scene)).toBe('bulkhead-full');
    expect(circuit.states()[ORIGIN]?.state).toBe('closed');
    expect(scene.emitted('retry')).toEqual([]);
  });

  test('a circuit of a path that opens rejects the calls in the queue, and nothing is sent', async () => {
    const scene = scenario([breaker({ failures: 1, maxWait: 0 }), bulkhead({ limit: 1 })]);
    scene.origin.replies(slow(scene.clock, 100, () => status(503)));
    const results = await Promise.all([get(scene), get(scene), get(scene)]);
    expect(results).toEqual([503, 'circuit-open', 'circuit-open']);
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  /** Three calls with one slot; a call past the bulkhead opens the circuit of the origin. */
  const openedWhileQueued = async (scene: Scenario): Promise<unknown[]> => {
    scene.origin.replies(slow(scene.clock, 100), networkError());
    const results = Promise.all([get(scene), get(scene), get(scene)]);
    await error(scene.fetch(ORIGIN, { holdfast: { bulkhead: false } }));
    return results;
  };

  test('a circuit of an origin that opens rejects the calls in the queue, and nothing is sent', async () => {
    const scene = scenario([breaker({ failures: 1, maxWait: 0 }), bulkhead({ limit: 1 })]);
    expect(await openedWhileQueued(scene)).toEqual([200, 'circuit-open', 'circuit-open']);
    expect(scene.origin.seen).toHaveLength(2);
    expect(scene.clock.pending).toBe(0);
  });

  test('a circuit that opens lets the calls in the queue wait for a probe', async () => {
    const scene = scenario([breaker({ failures: 1 }), bulkhead({ limit: 1 })]);
    const results = openedWhileQueued(scene);
    // The circuit stays open for 240 ms at least.
    await scene.clock.advance(239);
    expect(scene.origin.seen).toHaveLength(2);
    expect(await results).toEqual([200, 200, 200]);
    expect(scene.emitted('released')).toHaveLength(2);
    expect(scene.clock.pending).toBe(0);
  });

  test('a retry releases its slot during the backoff', async () => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([retry(), policy, attemptTimeout()]);
    scene.origin.replies(status(503), slow(scene.clock, 10), ok());
    expect(await Promise.all([get(scene, '/one'), get(scene, '/two')])).toEqual([200, 200]);
    expect(paths(scene)).toEqual(['/one', '/two', '/one']);
    expect(policy.states()).toEqual({});
    expect(scene.clock.pending).toBe(0);
  });
});

test('false switches the bulkhead off for a call, and a route may set the priority', async () => {
  const scene = scenario([bulkhead({ limit: 1, queue: 1 })], {
    routes: [
      { match: (url: URL | string) => String(url).endsWith('/urgent'), bulkhead: { priority: 'high' } },
    ],
  });
  const first = gate();
  scene.origin.replies(first.step);
  const busy = get(scene, '/first');
  const displaced = get(scene, '/displaced');
  const urgent = scene.fetch(`${ORIGIN}/urgent`).then((response) => response.text());
  expect(await displaced).toBe('bulkhead-full');
  expect((await scene.fetch(ORIGIN, { holdfast: { bulkhead: false } })).status).toBe(200);
  first.open();
  expect([await busy, await urgent]).toEqual([200, 'ok']);
});

test('close ends the wait of all calls', async () => {
  const policy = bulkhead({ limit: 1 });
  const scene = scenario([policy]);
  scene.origin.replies(hang());
  const results = [get(scene), get(scene), get(scene)];
  await scene.fetch.close();
  expect(await Promise.all(results)).toEqual(['closed', 'closed', 'closed']);
  expect(policy.states()).toEqual({});
  expect(scene.clock.pending).toBe(0);
});

test('the bulkhead retains only the calls in flight of 10,000 origins', async () => {
  const policy = bulkhead();
  const scene = scenario([policy]);
  await scene.fetch('https://host-0.example.com/');
  scene.origin.otherwise(() => status(204));
  for (let n = 1; n < 10_000; n++) await scene.fetch(`https://host-${n}.example.com/`);
  expect(policy.states()).toEqual({ 'https://host-0.example.com': { inFlight: 1, waiting: 0 } });
});

test.each([
  [{ limit: 0 }, /bulkhead\.limit: 0 is not allowed; expected a whole number from 1/],
  [{ queue: -1 }, /bulkhead\.queue: -1 is not allowed; expected a whole number from 0/],
  [{ maxWait: '5 s' }, /bulkhead\.maxWait: '5 s' is not allowed; did you mean '5s'\?/],
  [
    { concurrency: 3 },
    /bulkhead\.concurrency: 3 is not allowed; unknown option; known: limit, queue, maxWait/,
  ],
])('an impossible bulkhead option throws an error with a reason: %j', (options, message) => {
  expect(() => bulkhead(options as never)).toThrow(message);
});

test('an impossible bulkhead option of a call is an error, and the call takes no slot', async () => {
  const policy = bulkhead();
  const scene = scenario([policy]);
  const fetch = (own: unknown): Promise<unknown> =>
    error(scene.fetch(ORIGIN, { holdfast: { bulkhead: own } }));
  expect(await fetch({ priority: 'urgent' })).toMatchObject({
    code: 'configuration',
    message: "bulkhead.priority: 'urgent' is not allowed; expected one of high, normal, low",
  });
  expect(await fetch('high')).toMatchObject({ code: 'configuration' });
  expect(policy.states()).toEqual({});
});
