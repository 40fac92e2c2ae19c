import { describe, expect, test } from 'vitest';
import { createResponse } from '../../src/core/body/response.ts';
import type { Policy } from '../../src/core/contract.ts';
import { NetworkError } from '../../src/core/errors.ts';
import { auth } from '../../src/policies/auth/auth.ts';
import type { AuthOptions } from '../../src/policies/auth/options.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../src/policies/timeout.ts';
import { ConfigurationError, HoldfastError } from '../../src/primitives/failure.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import {
  brokenBody,
  hang,
  macrotask,
  networkError,
  ok,
  type Step,
  slow,
  stalledBody,
  status,
  testHost,
} from '../../src/testing.ts';
import { ORIGIN, type Scenario, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/orders`;

const textOf = (promise: Promise<Response>): Promise<string> => promise.then((response) => response.text());

const outcome = (promise: Promise<Response>): Promise<unknown> =>
  promise.then(
    (response) => response.status,
    (error) => error,
  );

/** Whether two calls at the same time make one request. */
async function shared(
  scene: Scenario,
  first: Parameters<Scenario['fetch']>,
  second: Parameters<Scenario['fetch']>,
): Promise<boolean> {
  scene.origin.otherwise(slow(scene.clock, 100));
  const before = scene.origin.seen.length;
  const responses = [scene.fetch(...first), scene.fetch(...second)];
  await Promise.all(responses.map(textOf));
  return scene.origin.seen.length === before + 1;
}

/** A response that never comes; `aborted` returns the reason of its request's abort. */
function silent(): { step: Step; aborted: () => unknown } {
  let reason: unknown;
  const step: Step = (_, signal) =>
    new Promise(() => {
      signal.addEventListener('abort', () => {
        reason = signal.reason;
      });
    });
  return { step, aborted: () => reason };
}

const origins = [ORIGIN];

describe('dedupe with auth', () => {
  let user = 'ann';
  const token = () => `of-${user}`;
  const authorize = (request: Request) => request.headers.set('x-user', token());
  const personal: [string, AuthOptions][] = [
    ['bearer', { scheme: 'bearer', origins, token }],
    ['api-key in a header', { scheme: 'api-key', origins, key: token, header: 'x-key' }],
    ['api-key in the query', { scheme: 'api-key', origins, key: token, query: 'key' }],
    ['custom', { scheme: 'custom', origins, authorize }],
    ['oauth2', { scheme: 'oauth2', origins, grant: async () => ({ access_token: token() }) }],
  ];

  /** The number of requests if Bob signs in and reads while Ann's read is under way. */
  const readByBoth = async (auth_: Policy, options: Parameters<typeof scenario>[1] = {}) => {
    const scene = scenario([dedupe(), auth_], options);
    scene.origin.otherwise(slow(scene.clock, 100));
    user = 'ann';
    const ann = textOf(scene.fetch(URL_));
    user = 'bob';
    const bob = textOf(scene.fetch(URL_));
    await Promise.all([ann, bob]);
    return scene.origin.seen.length;
  };

  test.each(
    personal.flatMap(([name, options]) => [
      [name, 'no partition', options, undefined] as const,
      [name, "'public'", options, 'public'] as const,
    ]),
  )('%s, %s: two users never share a response', async (_, __, options, partition) => {
    const requests = await readByBoth(auth(options), partition ? { partition } : {});
    expect(requests).toBe(2);
  });

  test('dedupe joins reads of one user, named by a partition', async () => {
    const requests = await readByBoth(auth({ scheme: 'bearer', origins, token }), { partition: 'ann' });
    expect(requests).toBe(1);
  });

  test("dedupe joins reads with a secret that is the application's own", async () => {
    const requests = await readByBoth(auth({ scheme: 'bearer', origins, token: 'fixed' }));
    expect(requests).toBe(1);
  });

  test('dedupe joins reads that need no credentials', async () => {
    const scene = scenario([dedupe(), auth({ scheme: 'bearer', origins, token })]);
    const init = { holdfast: { auth: false } };
    expect(await shared(scene, [URL_, init], [URL_, init])).toBe(true);
  });

  test.each(['X-Api-Key', 'X-Auth-Token'])('dedupe refuses to ignore %s', (name) => {
    expect(() => dedupe({ ignoreHeaders: [name] })).toThrow(ConfigurationError);
  });
});

describe('identical reads at the same time', () => {
  test('identical reads are one request, and each caller has a response of its own', async () => {
    const scene = scenario([dedupe()]);
    scene.origin.replies(slow(scene.clock, 100, () => ok('whole')));
    const responses = await Promise.all([1, 2, 3, 4].map(() => scene.fetch(URL_)));
    expect(new Set(responses).size).toBe(4);
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(Array(4).fill('whole'));
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('the events of joined reads name the leader, and only the leader has an attempt', async () => {
    const scene = scenario([dedupe(), retry({ jitter: 'none' })]);
    scene.origin.replies(status(503), ok());
    await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
    const [leader, follower] = scene.emitted('call-ended');
    expect(scene.emitted('deduplicated')).toEqual([
      { type: 'deduplicated', callId: follower?.callId, origin: ORIGIN, leader: leader?.callId },
    ]);
    for (const ended of [leader, follower])
      expect(ended?.attempts.map((attempt) => attempt.status)).toEqual([503, 200]);
  });

  test('responses of joined reads keep status, headers, url, type and redirected', async () => {
    const scene = scenario([dedupe(), attemptTimeout()]);
    const given = {
      status: 203,
      statusText: 'Fine',
      url: `${URL_}/there`,
      type: 'cors',
      redirected: true,
    } as const;
    scene.origin.replies(slow(scene.clock, 10, () => createResponse('x', given, { 'x-own': 'yes' })));
    const responses = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
    for (const response of responses) {
      expect(response).toMatchObject(given);
      expect(response).toBeInstanceOf(Response);
      expect(response.headers.get('x-own')).toBe('yes');
      expect(await response.clone().text()).toBe('x');
      expect(await response.text()).toBe('x');
    }
  });

  test('joined reads may have a response without a body, too', async () => {
    const scene = scenario([dedupe()]);
    scene.origin.replies(status(204));
    const responses = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
    expect(responses.map((response) => [response.status, response.body])).toEqual([
      [204, null],
      [204, null],
    ]);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('joined reads still stream: each caller reads a part before the next one comes', async () => {
    const scene = scenario([dedupe(), attemptTimeout()]);
    const { response, cancelled } = stalledBody('half');
    scene.origin.replies(slow(scene.clock, 1, () => response));
    const responses = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
    for (const response of responses) {
      const reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array>;
      expect(new TextDecoder().decode((await reader.read()).value)).toBe('half');
      expect(cancelled()).toBe(false);
      await Promise.race([reader.cancel(), macrotask()]);
    }
    await scene.clock.advance(1);
    expect(cancelled()).toBe(true);
    expect(scene.clock.pending).toBe(0);
  });

  test('the bytes of a body belong to one caller, whatever another does with them', async () => {
    const scene = scenario([dedupe()]);
    scene.origin.replies(slow(scene.clock, 1, () => ok('abc')));
    const [one, two] = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
    new Uint8Array(await (one as Response).arrayBuffer()).fill(0);
    expect(await two?.text()).toBe('abc');
  });

  test('two reads one after the other are two requests', async () => {
    const scene = scenario([dedupe()]);
    await textOf(scene.fetch(URL_));
    await textOf(scene.fetch(URL_));
    expect(scene.origin.seen).toHaveLength(2);
  });

  test('reads are not joined once the headers have come', async () => {
    const scene = scenario([dedupe()]);
    const { response } = stalledBody();
    scene.origin.replies(response);
    const first = await scene.fetch(URL_);
    expect(await textOf(scene.fetch(URL_))).toBe('ok');
    await first.body?.cancel();
  });
});

describe('reads that are joined', () => {
  test.each<[string, RequestInit, RequestInit]>([
    ['GET', {}, {}],
    ['HEAD', { method: 'HEAD' }, { method: 'HEAD' }],
    ['other trace headers', { headers: { traceparent: '1' } }, { headers: { traceparent: '2' } }],
    [
      'another value of a header in ignoreHeaders',
      { headers: { 'X-Id': '1' } },
      { headers: { 'x-id': '2' } },
    ],
    ['the same Authorization', { headers: { authorization: 'a' } }, { headers: { Authorization: 'a' } }],
  ])('dedupe joins reads: %s', async (_, first, second) => {
    const scene = scenario([dedupe({ ignoreHeaders: ['X-ID'] })]);
    expect(await shared(scene, [URL_, first], [URL_, second])).toBe(true);
  });

  test('dedupe joins reads with equal options', async () => {
    const scene = scenario([dedupe(), retry()]);
    const [one, two] = [0, 0].map(() => ({ holdfast: { retry: { limit: 1, statusCodes: [500] } } }));
    expect(await shared(scene, [URL_, one], [URL_, two])).toBe(true);
  });
});

describe('calls that are never joined', () => {
  test.each<[string, RequestInit, RequestInit]>([
    ['another Authorization', { headers: { authorization: 'alice' } }, { headers: { authorization: 'bob' } }],
    ['no Authorization', { headers: { authorization: 'alice' } }, {}],
    [
      'another Accept-Language',
      { headers: { 'accept-language': 'de' } },
      { headers: { 'accept-language': 'fr' } },
    ],
    ['another Range', { headers: { range: 'bytes=0-1' } }, { headers: { range: 'bytes=2-3' } }],
    ['any other header', { headers: { 'x-tenant': '1' } }, { headers: { 'x-tenant': '2' } }],
    ['another method', { method: 'HEAD' }, { method: 'GET' }],
    ['POST', { method: 'POST', body: 'a' }, { method: 'POST', body: 'a' }],
    // ffetch took two blobs of one size for the same.
    [
      'blobs of one size',
      { method: 'POST', body: new Blob(['a']) },
      { method: 'POST', body: new Blob(['b']) },
    ],
    ['PUT', { method: 'PUT', body: 'a' }, { method: 'PUT', body: 'a' }],
    ['OPTIONS', { method: 'OPTIONS' }, { method: 'OPTIONS' }],
    ['options for the runtime', { cf: {} } as RequestInit, { cf: {} } as RequestInit],
  ])('dedupe joins no calls: %s', async (_, first, second) => {
    expect(await shared(scenario([dedupe()]), [URL_, first], [URL_, second])).toBe(false);
  });

  test('dedupe joins no calls of another credentials mode', async () => {
    // Workers have none.
    const modeOf = (credentials: RequestCredentials): unknown =>
      new Request(URL_, { credentials }).credentials;
    const differs = modeOf('omit') !== modeOf('include');
    expect(
      await shared(scenario([dedupe()]), [URL_, { credentials: 'omit' }], [URL_, { credentials: 'include' }]),
    ).toBe(!differs);
  });

  test('dedupe joins no calls of another URL', async () => {
    expect(await shared(scenario([dedupe()]), [URL_], [`${URL_}?page=2`])).toBe(false);
  });

  test('dedupe joins no calls of another partition: Bob never gets Alice’s body', async () => {
    let user = 'alice';
    const scene = scenario([dedupe()], { partition: () => user });
    scene.origin.replies(
      slow(scene.clock, 100, () => ok('of alice')),
      slow(scene.clock, 100, () => ok('of bob')),
    );
    const alice = textOf(scene.fetch(URL_));
    user = 'bob';
    const bob = textOf(scene.fetch(URL_));
    expect([await alice, await bob]).toEqual(['of alice', 'of bob']);
  });

  test('dedupe joins no call of a partition that looks like another with a URL', async () => {
    let user = 'a';
    const scene = scenario([dedupe()], { partition: () => user });
    scene.origin.otherwise(slow(scene.clock, 100));
    const first = textOf(scene.fetch(URL_));
    user = `a ${URL_}`;
    await Promise.all([first, textOf(scene.fetch(URL_))]);
    expect(scene.origin.seen).toHaveLength(2);
  });

  test('dedupe joins no calls with other options, or other functions among them', async () => {
    const scene = scenario([dedupe(), retry()]);
    expect(await shared(scene, [URL_, { holdfast: { retry: 0 } }], [URL_])).toBe(false);
    const [one, two] = [0, 0].map(() => ({ holdfast: { retry: { shouldRetry: () => false } } }));
    expect(await shared(scene, [URL_, one], [URL_, two])).toBe(false);
  });

  test('dedupe: false joins no call', async () => {
    const scene = scenario([dedupe()]);
    expect(await shared(scene, [URL_], [URL_, { holdfast: { dedupe: false } }])).toBe(false);
  });

  test('dedupe joins no calls if I/O belongs to one request', async () => {
    const scene = scenario([dedupe()], { host: testHost({ canShareIO: false }) });
    scene.origin.otherwise(() => macrotask().then(() => ok()));
    await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
    expect(scene.origin.seen).toHaveLength(2);
  });

  test('dedupe joins no read after a write with one from before it', async () => {
    const scene = scenario([dedupe()]);
    scene.origin.replies(
      slow(scene.clock, 1_000, () => ok('old')),
      ok('written'),
      ok('new'),
    );
    const before = textOf(scene.fetch(URL_));
    await scene.fetch(URL_, { method: 'POST', body: 'x' });
    expect(await textOf(scene.fetch(URL_))).toBe('new');
    expect(await before).toBe('old');
  });

  test('dedupe joins no read after the delivery of a queued write with one from before it', async () => {
    const outbox = outboxPolicy({ store: memoryStore() }, memoryStore);
    let after: Promise<string> | undefined;
    const scene = scenario([dedupe(), outbox], {
      partition: 'ann',
      onEvent({ type }) {
        if (type === 'delivered') after = textOf(scene.fetch(URL_));
      },
    });
    scene.origin.replies(
      networkError(),
      slow(scene.clock, 60_000, () => ok('old')),
      ok('delivered'),
      ok('new'),
    );
    await scene.fetch(URL_, { method: 'POST', body: 'x', holdfast: { outbox: true } });
    expect(await textOf(scene.fetch(URL_))).toBe('old');
    expect(scene.origin.seen.map(({ method }) => method)).toEqual(['POST', 'GET', 'POST', 'GET']);
    expect(await after).toBe('new');
    await scene.fetch.close();
  });
});

describe('a caller that aborts', () => {
  test('an aborted caller gets its own reason at once, and the others go on, even if it was the leader', async () => {
    const scene = scenario([dedupe(), totalTimeout(), attemptTimeout()]);
    scene.origin.replies(slow(scene.clock, 5_000, () => ok('whole')));
    const controllers = [new AbortController(), new AbortController()];
    const [leader, second] = controllers.map(({ signal }) => outcome(scene.fetch(URL_, { signal })));
    const third = textOf(scene.fetch(URL_));
    const reasons = [new Error('first'), new Error('second')];
    controllers[0]?.abort(reasons[0]);
    expect(await leader).toBe(reasons[0]);
    controllers[1]?.abort(reasons[1]);
    expect(await second).toBe(reasons[1]);
    expect(scene.clock.ticks()).toBe(0);
    expect(await third).toBe('whole');
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  test('a listener of the event may abort the leader, and the call that joined goes on', async () => {
    const controller = new AbortController();
    const scene = scenario([dedupe()], {
      onEvent({ type }) {
        if (type === 'deduplicated') controller.abort('enough');
      },
    });
    scene.origin.otherwise(slow(scene.clock, 100, () => ok('whole')));
    const leader = outcome(scene.fetch(URL_, { signal: controller.signal }));
    const second = textOf(scene.fetch(URL_));
    expect(await leader).toBe('enough');
    expect(await second).toBe('whole');
  });

  test('the abort of the last caller aborts the request, and a later call starts another', async () => {
    const scene = scenario([dedupe()]);
    const { step, aborted } = silent();
    scene.origin.replies(step);
    const controllers = [new AbortController(), new AbortController()];
    const outcomes = controllers.map(({ signal }) => outcome(scene.fetch(URL_, { signal })));
    await macrotask();
    controllers[0]?.abort('one');
    expect(aborted()).toBeUndefined();
    controllers[1]?.abort('two');
    expect(aborted()).toBe('two');
    const next = textOf(scene.fetch(URL_));
    expect(await Promise.all(outcomes)).toEqual(['one', 'two']);
    expect(await next).toBe('ok');
    expect(scene.origin.seen).toHaveLength(2);
    expect(scene.clock.pending).toBe(0);
  });

  test('an abort during the body breaks no other caller’s body', async () => {
    const scene = scenario([dedupe(), attemptTimeout()]);
    let go = (): void => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('one '));
        go = () => {
          controller.enqueue(new TextEncoder().encode('two'));
          controller.close();
        };
      },
    });
    scene.origin.replies(slow(scene.clock, 1, () => new Response(body)));
    const controller = new AbortController();
    const [leaver, stayer] = await Promise.all([
      scene.fetch(URL_, { signal: controller.signal }),
      scene.fetch(URL_),
    ]);
    const left = leaver?.text().catch((error) => error);
    await macrotask();
    controller.abort('enough');
    expect(await left).toBe('enough');
    go();
    expect(await stayer?.text()).toBe('one two');
    expect(scene.clock.pending).toBe(0);
  });

  test('a timeout of one caller leaves the others their time', async () => {
    const scene = scenario([totalTimeout(), dedupe()]);
    scene.origin.replies(slow(scene.clock, 5_000));
    const outcomes = [scene.fetch(URL_), scene.fetch(URL_)].map(outcome);
    expect(await Promise.all(outcomes)).toEqual([200, 200]);
    expect(scene.clock.pending).toBe(0);
  });
});

test('a caller that cancels its body does not wait until the others have read theirs', async () => {
  const scene = scenario([dedupe(), bulkhead()]);
  scene.origin.replies(stalledBody().response);
  const [one, two] = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
  await one?.body?.cancel();
  await two?.body?.cancel();
  expect(scene.clock.pending).toBe(0);
});

test('the last cancelled body aborts the request', async () => {
  const scene = scenario([dedupe()]);
  const { response, cancelled } = stalledBody();
  let aborted = false;
  scene.origin.replies((_, signal) => {
    signal.addEventListener('abort', () => {
      aborted = true;
    });
    return response;
  });
  const [one, two] = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
  void one?.body?.cancel();
  await macrotask();
  expect([cancelled(), aborted]).toEqual([false, false]);
  void two?.body?.cancel();
  await macrotask();
  expect([cancelled(), aborted]).toEqual([true, true]);
});

describe('calls that beforeSend rejects', () => {
  const error = { code: 'user-changed', category: 'aborted' } as const;

  /**
   * Rejects the given calls, counted from 1, right before they are sent; `send` lets the others go
   * on.
   */
  const forbidden = (to: (nth: number) => boolean, refused = () => {}) => {
    const sent = Promise.withResolvers<void>();
    let nth = 0;
    const guard = () => {
      throw new HoldfastError('another user', error);
    };
    const guarded: Policy = (next) => (request, call) =>
      next(request, to(++nth) ? { ...call, beforeSend: guard } : call);
    const later: Policy = (next) => async (request, call) => {
      await sent.promise;
      return next(request, call).catch((reason) => {
        refused();
        throw reason;
      });
    };
    const { fetch, origin } = scenario([guarded, dedupe(), later]);
    origin.otherwise(() => ok('whole'));
    return { fetch, origin, send: sent.resolve };
  };

  test('a shared request is sent if one of its calls may be sent', async () => {
    const { fetch, origin, send } = forbidden((nth) => nth !== 2);
    const texts = [1, 2, 3].map(() => textOf(fetch(URL_)));
    send();
    expect(await Promise.all(texts)).toEqual(['whole', 'whole', 'whole']);
    expect(origin.seen).toHaveLength(1);
  });

  test('a shared request is not sent if no call may be sent, and a later call does not join it', async () => {
    let late: Promise<string> | undefined;
    const { fetch, origin, send } = forbidden(
      (nth) => nth <= 2,
      () => {
        late = textOf(fetch(URL_));
      },
    );
    const first = [1, 2].map(() => outcome(fetch(URL_)));
    send();
    expect(await Promise.all(first)).toMatchObject([error, error]);
    expect(await late).toBe('whole');
    expect(origin.seen).toHaveLength(1);
  });
});

describe('a failure of joined reads', () => {
  test('a failure reaches each caller as an error of its own', async () => {
    const scene = scenario([dedupe()]);
    scene.origin.replies(slow(scene.clock, 10, () => Promise.reject(networkError()) as never));
    const errors = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)].map(outcome));
    const ids = scene.emitted('call-started').map(({ callId }) => callId);
    errors.forEach((error, at) => {
      expect(error).toBeInstanceOf(NetworkError);
      expect(error).toBeInstanceOf(TypeError);
      expect(error).toMatchObject({ code: 'network', callId: ids[at], message: 'Failed to fetch' });
      expect((error as NetworkError).attempts).toHaveLength(1);
      expect((error as NetworkError).cause).toBeInstanceOf(TypeError);
      expect((error as NetworkError).toJSON()).toMatchObject({ name: 'TypeError', callId: ids[at] });
    });
    expect(errors[0]).not.toBe(errors[1]);
  });

  test('a timeout of the shared request reaches all callers', async () => {
    const scene = scenario([dedupe(), totalTimeout('2s')]);
    scene.origin.replies(hang());
    const errors = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)].map(outcome));
    for (const error of errors) expect(error).toMatchObject({ name: 'TimeoutError' });
    expect(scene.origin.seen).toHaveLength(1);
    expect(scene.clock.pending).toBe(0);
  });

  test('a failure is not shared with later calls', async () => {
    const scene = scenario([dedupe()]);
    scene.origin.replies(networkError());
    await outcome(scene.fetch(URL_));
    expect(await outcome(scene.fetch(URL_))).toBe(200);
  });

  test('a failure of the body reaches all readers', async () => {
    const scene = scenario([dedupe()]);
    scene.origin.replies(slow(scene.clock, 1, () => brokenBody()));
    const responses = await Promise.all([scene.fetch(URL_), scene.fetch(URL_)]);
    const errors = await Promise.all(responses.map((response) => response.text().catch((error) => error)));
    for (const error of errors) expect(error).toMatchObject({ code: 'network' });
  });
});

test('close() ends the shared request and each of its callers', async () => {
  const scene = scenario([dedupe()]);
  const { step, aborted } = silent();
  scene.origin.replies(step);
  const controller = new AbortController();
  const outcomes = [scene.fetch(URL_), scene.fetch(URL_, { signal: controller.signal })].map(outcome);
  await macrotask();
  await scene.fetch.close();
  for (const error of await Promise.all(outcomes)) expect(error).toMatchObject({ code: 'closed' });
  expect(aborted()).toMatchObject({ code: 'closed' });
});

test.each([
  [{ ignoreHeaders: 'x' }, /dedupe\.ignoreHeaders: 'x' is not allowed; expected a list/],
  [{ ignoreHeaders: [1] }, /dedupe\.ignoreHeaders: 1 is not allowed; expected a string/],
  [
    { ignoreHeaders: ['Authorization'] },
    /dedupe\.ignoreHeaders: 'Authorization' is not allowed; expected no/,
  ],
  [{ ignoreheaders: [] }, /dedupe\.ignoreheaders: .* is not allowed; unknown option; known: ignoreHeaders/],
])('an impossible dedupe option throws an error with a reason: %j', (options, message) => {
  expect(() => dedupe(options as never)).toThrow(ConfigurationError);
  expect(() => dedupe(options as never)).toThrow(message);
});
