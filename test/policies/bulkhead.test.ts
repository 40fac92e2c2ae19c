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
} from '../../src/testing/index.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const OTHER = 'https://other.example.com/';

/** The status, or the code or name of the error; the body is read. */
const get = (
  { fetch }: Scenario,
  path = '/',
  { signal, ...options }: CallBulkhead & { signal?: AbortSignal } = {},
): Promise<unknown> =>
  fetch(new URL(path, ORIGIN), { ...(signal && { signal }), holdfast: { bulkhead: options } }).then(
    async (response) => {
      await response.text();
      return response.status;
    },
    (error) => error.code ?? error.name,
  );

/** Answers when the test says so. */
function gate(response: () => Response = () => ok()): { step: Step; open: () => void } {
  let open = (): void => {};
  const answer = new Promise<Response>((give) => {
    open = () => give(response());
  });
  return { step: () => answer, open };
}

const paths = ({ origin }: Scenario): string[] => origin.seen.map(({ url }) => new URL(url).pathname);

const error = (answer: Promise<unknown>): Promise<unknown> => answer.catch((thrown) => thrown);

test('six are in flight by default, and the others wait', async () => {
  const policy = bulkhead();
  const scene = scenario([policy]);
  scene.origin.otherwise(slow(scene.clock, 100));
  const answers = Array.from({ length: 15 }, () => get(scene));
  expect(policy.states()).toEqual({ [ORIGIN]: { inFlight: 6, waiting: 9 } });
  expect(scene.told('waiting').map(({ ahead, for: what }) => [what, ahead])).toEqual(
    Array.from({ length: 9 }, (_, n) => ['bulkhead', n]),
  );
  expect(await Promise.all(answers)).toEqual(Array(15).fill(200));
  expect(scene.origin.seen.map(({ at }) => at)).toEqual([
    ...Array(6).fill(0),
    ...Array(6).fill(100),
    ...Array(3).fill(200),
  ]);
  expect(policy.states()).toEqual({});
  expect(scene.clock.pending).toBe(0);
});

test('a free place costs no timer and no event', async () => {
  const scene = scenario([bulkhead({ limit: 1 }), () => () => Promise.resolve(ok())]);
  await (await scene.fetch(ORIGIN)).text();
  expect([scene.told('waiting'), scene.clock.pending]).toEqual([[], 0]);
});

test('close() gives back the slot of a body that nothing reads, at once', async () => {
  const policy = bulkhead({ limit: 1 });
  const scene = scenario([policy]);
  const response = await scene.fetch(ORIGIN);
  expect(policy.states()).toMatchObject({ [ORIGIN]: { inFlight: 1 } });
  await scene.fetch.close();
  expect(policy.states()).toEqual({});
  await expect(response.text()).rejects.toMatchObject({ code: 'closed' });
});

test('two pipelines share places by sharing the policy', async () => {
  const policy = bulkhead({ limit: 1, queue: 0 });
  const scene = scenario([policy]);
  scene.origin.replies(hang());
  void get(scene);
  expect(await get(scenario([policy]))).toBe('bulkhead-full');
});

describe('a place is held until', () => {
  const held = async (
    body: Response,
  ): Promise<{ scene: Scenario; response: Response; free: () => boolean }> => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([policy]);
    scene.origin.replies(body);
    const response = await scene.fetch(ORIGIN);
    return { scene, response, free: () => policy.states()[ORIGIN] === undefined };
  };

  test('the body has been read', async () => {
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

  test('the body was cancelled', async () => {
    const { response, free } = await held(stalledBody().response);
    expect(free()).toBe(false);
    await response.body?.cancel();
    expect(free()).toBe(true);
  });

  test('the body broke', async () => {
    const { response, free } = await held(brokenBody());
    expect(await error(response.text())).toBeInstanceOf(TypeError);
    expect(free()).toBe(true);
  });

  test('the caller aborted while it was read', async () => {
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

  test('one of two clones has been read', async () => {
    const { response, free } = await held(ok());
    const copy = response.clone();
    expect(free()).toBe(false);
    await copy.text();
    expect(free()).toBe(true);
    expect(await response.text()).toBe('ok');
    expect(free()).toBe(true);
  });

  test('the headers came, where there is no body', async () => {
    const { free } = await held(status(204));
    expect(free()).toBe(true);
  });

  test('the call failed, whichever way', async () => {
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

describe('who waits', () => {
  test('goes by priority, and who came first within one', async () => {
    const scene = scenario([bulkhead({ limit: 1 })]);
    const first = gate();
    scene.origin.replies(first.step);
    const answers = [
      get(scene, '/first'),
      get(scene, '/low-1', { priority: 'low' }),
      get(scene, '/normal-1'),
      get(scene, '/high-1', { priority: 'high' }),
      get(scene, '/normal-2', { priority: 'normal' }),
      get(scene, '/low-2', { priority: 'low' }),
      get(scene, '/high-2', { priority: 'high' }),
    ];
    expect(scene.told('waiting').map(({ ahead }) => ahead)).toEqual([0, 0, 0, 2, 4, 1]);
    first.open();
    await Promise.all(answers);
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

  test('leaves at once when it is aborted, with the caller’s reason, and its place is another’s', async () => {
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

  test('may be aborted by whoever hears that it waits', async () => {
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

  test('waits 5 s and no longer', async () => {
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
    expect(scene.told('refused')).toMatchObject([{ code: 'bulkhead-wait', origin: ORIGIN }]);
    expect(policy.states()[ORIGIN]).toEqual({ inFlight: 1, waiting: 0 });
    expect(scene.clock.pending).toBe(0);
  });

  test('is bounded by its total time, too', async () => {
    const policy = bulkhead({ limit: 1, maxWait: false });
    const scene = scenario([totalTimeout({ total: '20s' }), policy]);
    scene.origin.replies(hang());
    void scene.fetch(ORIGIN, { holdfast: { timeout: false } });
    expect(await get(scene)).toBe('timeout-total');
    expect(scene.clock.ticks()).toBe(20_000);
    expect(policy.states()[ORIGIN]).toEqual({ inFlight: 1, waiting: 0 });
  });

  test('does so on no time of its attempt', async () => {
    const scene = scenario([bulkhead({ limit: 1 }), attemptTimeout('1s')]);
    scene.origin.otherwise(slow(scene.clock, 900));
    expect(await Promise.all([get(scene), get(scene), get(scene)])).toEqual([200, 200, 200]);
    expect(scene.clock.ticks()).toBe(2_700);
  });

  test('does not hold up other origins', async () => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([policy]);
    scene.origin.replies(hang());
    void get(scene);
    expect(await get(scene, OTHER)).toBe(200);
  });
});

describe('a full queue', () => {
  test('refuses who comes, at once', async () => {
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
    expect(scene.told('refused')).toMatchObject([{ code: 'bulkhead-full' }]);
  });

  test('gives way to a higher priority: the newest of the lowest goes', async () => {
    const scene = scenario([bulkhead({ limit: 1, queue: 3 })]);
    const first = gate();
    scene.origin.replies(first.step);
    const settled: unknown[] = [];
    const call = (name: string, priority: 'high' | 'normal' | 'low'): Promise<unknown> =>
      get(scene, name, { priority }).then((end) => settled.push([name, end]));
    const answers = [
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
    await Promise.all(answers);
    expect(paths(scene)).toEqual(['/first', '/high-1', '/high-2', '/high-3']);
    expect(scene.clock.pending).toBe(0);
  });

  test('is what a call without a place finds where calls may not wait for each other', async () => {
    const host = testHost({ canShareIO: false });
    const scene = scenario([bulkhead({ limit: 1 })], { host });
    scene.origin.replies(hang());
    void get(scene);
    expect(await get(scene)).toBe('bulkhead-full');
  });
});

describe('with other policies', () => {
  test('a refusal does not count for the breaker, and is not repeated', async () => {
    const circuit = breaker({ failures: 1 });
    const scene = scenario([retry(), circuit, bulkhead({ limit: 1, queue: 0 })]);
    scene.origin.replies(hang());
    void get(scene);
    for (let call = 0; call < 20; call++) expect(await get(scene)).toBe('bulkhead-full');
    expect(circuit.states()[ORIGIN]?.state).toBe('closed');
    expect(scene.told('retry')).toEqual([]);
  });

  test('a circuit of a path that opens rejects the calls in the queue, and nothing is sent', async () => {
    const scene = scenario([breaker({ failures: 1, maxWait: 0 }), bulkhead({ limit: 1 })]);
    scene.origin.replies(slow(scene.clock, 100, () => status(503)));
    const answers = await Promise.all([get(scene), get(scene), get(scene)]);
    expect(answers).toEqual([503, 'circuit-open', 'circuit-open']);
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  /** Three calls with one slot; a call past the bulkhead opens the circuit of the origin. */
  const openedWhileQueued = async (scene: Scenario): Promise<unknown[]> => {
    scene.origin.replies(slow(scene.clock, 100), networkError());
    const answers = Promise.all([get(scene), get(scene), get(scene)]);
    await error(scene.fetch(ORIGIN, { holdfast: { bulkhead: false } }));
    return answers;
  };

  test('a circuit of an origin that opens rejects the calls in the queue, and nothing is sent', async () => {
    const scene = scenario([breaker({ failures: 1, maxWait: 0 }), bulkhead({ limit: 1 })]);
    expect(await openedWhileQueued(scene)).toEqual([200, 'circuit-open', 'circuit-open']);
    expect(scene.origin.seen).toHaveLength(2);
    expect(scene.clock.pending).toBe(0);
  });

  test('a circuit that opens lets the calls in the queue wait for a probe', async () => {
    const scene = scenario([breaker({ failures: 1 }), bulkhead({ limit: 1 })]);
    const answers = openedWhileQueued(scene);
    // The circuit stays open for 240 ms at least.
    await scene.clock.advance(239);
    expect(scene.origin.seen).toHaveLength(2);
    expect(await answers).toEqual([200, 200, 200]);
    expect(scene.told('released')).toHaveLength(2);
    expect(scene.clock.pending).toBe(0);
  });

  test('a retry gives its place up while it waits', async () => {
    const policy = bulkhead({ limit: 1 });
    const scene = scenario([retry(), policy, attemptTimeout()]);
    scene.origin.replies(status(503), slow(scene.clock, 10), ok());
    expect(await Promise.all([get(scene, '/one'), get(scene, '/two')])).toEqual([200, 200]);
    expect(paths(scene)).toEqual(['/one', '/two', '/one']);
    expect(policy.states()).toEqual({});
    expect(scene.clock.pending).toBe(0);
  });
});

test('false switches it off for a call, and a route may say the priority', async () => {
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

test('closing ends the waiting', async () => {
  const policy = bulkhead({ limit: 1 });
  const scene = scenario([policy]);
  scene.origin.replies(hang());
  const answers = [get(scene), get(scene), get(scene)];
  await scene.fetch.close();
  expect(await Promise.all(answers)).toEqual(['closed', 'closed', 'closed']);
  expect(policy.states()).toEqual({});
  expect(scene.clock.pending).toBe(0);
});

test('of 10,000 origins nothing is kept but what is under way', async () => {
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
])('an option that cannot be meant is refused with a reason: %j', (options, message) => {
  expect(() => bulkhead(options as never)).toThrow(message);
});

test('so is one of a call, and it takes no place', async () => {
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
