import { afterEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../../src/core/contract.ts';
import type { PipelineOptions } from '../../../src/core/pipeline.ts';
import { type Auth, auth } from '../../../src/policies/auth/auth.ts';
import type { SignIn } from '../../../src/policies/auth/options.ts';
import { breaker } from '../../../src/policies/breaker/breaker.ts';
import { cachePolicy } from '../../../src/policies/cache/cache.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { attemptTimeout, totalTimeout } from '../../../src/policies/timeout.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { hang, networkError, ok, slow, status, testHost, virtualClock } from '../../../src/testing.ts';
import { statusOf } from '../../support/calls.ts';
import { quiet } from '../../support/platform.ts';
import { type Scenario, scenario } from '../../support/scenario.ts';
import {
  API,
  json,
  type MoreOAuth2,
  oauth2,
  TOKEN_ENDPOINT,
  type TokenServer,
  tokenServer,
} from '../../support/token-server.ts';

const open: Scenario[] = [];
afterEach(async () => {
  for (const { fetch } of open.splice(0)) await fetch.close();
});

interface World extends Scenario {
  readonly server: TokenServer;
  readonly auth: Auth & SignIn;
  /** The status, or the code of the error. */
  get(path?: string, init?: RequestInit): Promise<unknown>;
}

/** A client of an API, whose tokens come from an authorization server. */
function world(
  more: MoreOAuth2 = {},
  options: PipelineOptions & { around?: Parameters<typeof scenario>[0]; canShareIO?: boolean } = {},
): World {
  const { around = [], ...rest } = options;
  const policy = auth(oauth2(more));
  const scene = scenario([...around, policy, attemptTimeout()], { partition: 'ann', ...rest });
  open.push(scene);
  return {
    ...scene,
    auth: policy,
    server: tokenServer(scene.origin, scene.host),
    get: (path = '/x', init = {}) => statusOf(scene.fetch(API + path, init)),
  };
}

const failure = (promise: Promise<unknown>): Promise<Record<string, unknown>> =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error) => error,
  );

const many = (count: number, get: World['get']): Promise<unknown[]> =>
  Promise.all(Array.from({ length: count }, (_, nth) => get(`/${nth}`)));

describe('the life of a token', () => {
  test('a token is refreshed before it expires, in the background', async () => {
    const { auth, server, get, clock } = world();
    await auth.signIn(server.login());
    await clock.advance(3_539_000);
    expect(await get()).toBe(200);
    expect(server.asked()).toHaveLength(0);
    await clock.advance(2_000);
    server.replies(slow(clock, 5_000, () => json(server.login())));
    expect(await many(10, get)).toEqual(Array(10).fill(200));
    await clock.advance(10_000);
    expect(server.asked()).toHaveLength(1);
    expect(await get()).toBe(200);
    expect(server.asked()).toHaveLength(1);
    expect(server.called().at(-1)?.headers.get('authorization')).toBe('Bearer access-ann-2');
    expect(server.served).not.toContain('401');
  });

  test('an expired token is refreshed once, and all calls wait for it', async () => {
    const { auth, server, get, clock, emitted } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    expect(await many(50, get)).toEqual(Array(50).fill(200));
    expect(server.asked()).toHaveLength(1);
    expect(server.served).toEqual(Array(50).fill('ann'));
    expect(emitted('token-refreshed')).toEqual([{ type: 'token-refreshed', origin: API, remote: false }]);
    expect(clock.pending).toBe(0);
  });

  test('a refused token is refreshed once for all calls, and each call is sent once more', async () => {
    const { auth, server, get, emitted } = world();
    await auth.signIn(server.login());
    server.revoke();
    expect(await many(50, get)).toEqual(Array(50).fill(200));
    expect(server.asked()).toHaveLength(1);
    expect(server.served.filter((status) => status === '401')).toHaveLength(50);
    expect(emitted('auth-replayed')).toHaveLength(50);
    expect(server.reused).toBe(false);
  });

  test('a refusal of an older token makes no refresh', async () => {
    const { auth, server, get, clock, origin } = world();
    await auth.signIn(server.login());
    // The refusal comes long after the others have another token.
    origin.replies(slow(clock, 5_000, () => status(401)));
    const late = get();
    server.revoke();
    expect(await get()).toBe(200);
    expect(await late).toBe(200);
    expect(server.asked()).toHaveLength(1);
  });

  test('a token of unknown lifetime is used until it is refused', async () => {
    const { auth, server, get, clock } = world();
    const { expires_in: _, ...tokens } = server.login();
    await auth.signIn(tokens);
    await clock.advance(3_000_000);
    expect(await get()).toBe(200);
    await clock.advance(600_000);
    expect(await get()).toBe(200);
    expect(server.asked()).toHaveLength(1);
  });

  test('a short-lived token is not refreshed at every call', async () => {
    const { auth, server, get, clock } = world();
    server.says({ expires_in: 20 });
    await auth.signIn(server.login());
    for (let second = 0; second < 60; second++) {
      expect(await get()).toBe(200);
      await clock.advance(1_000);
    }
    expect(server.asked().length).toBeLessThanOrEqual(6);
    expect(server.served).not.toContain('401');
  });

  test('a refresh without another refresh token keeps the one there is', async () => {
    const { auth, server, get, clock } = world();
    await auth.signIn(server.login());
    for (let nth = 0; nth < 3; nth++) {
      await clock.advance(3_600_000);
      server.replies(json({ access_token: server.login().access_token, expires_in: 3600 }));
      expect(await get()).toBe(200);
    }
    const used = server.asked().map(({ body }) => new URLSearchParams(body).get('refresh_token'));
    expect(used).toEqual(['refresh-ann-1', 'refresh-ann-1', 'refresh-ann-1']);
  });

  test('a token that expires during a call is refreshed, however new it is', async () => {
    const { auth, server, get, clock, origin } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    origin.replies(
      json(server.login('ann', { expires_in: 2 })),
      slow(clock, 3_000, () => status(401)),
    );
    expect(await get()).toBe(200);
    expect(server.asked()).toHaveLength(2);
  });

  test('a refresh request has the form of the standard', async () => {
    const { auth, server, get, clock } = world({ scope: 'a b', parameters: { audience: 'api' } });
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    await get();
    const [grantRequest] = server.asked();
    expect(grantRequest).toMatchObject({ method: 'POST', url: TOKEN_ENDPOINT });
    expect(Object.fromEntries(new URLSearchParams(grantRequest?.body))).toEqual({
      grant_type: 'refresh_token',
      refresh_token: 'refresh-ann-1',
      client_id: 'app',
      scope: 'a b',
      audience: 'api',
    });
    expect(grantRequest?.headers.get('authorization')).toBe(null);
    expect(grantRequest?.headers.get('content-type')).toMatch(/^application\/x-www-form-urlencoded/);
  });

  test.each([
    ['basic', 'Basic YSUzQWI6c2VjcmV0KyUyNg==', {}],
    ['body', null, { client_id: 'a:b', client_secret: 'secret &' }],
  ] as const)('a client authenticates by: %s', async (clientAuthentication, header, body) => {
    const { server, get } = world({
      grant: 'client_credentials',
      clientId: 'a:b',
      clientSecret: 'secret &',
      clientAuthentication,
    });
    expect(await get()).toBe(200);
    const [grantRequest] = server.asked();
    expect(grantRequest?.headers.get('authorization')).toBe(header);
    expect(Object.fromEntries(new URLSearchParams(grantRequest?.body))).toEqual({
      grant_type: 'client_credentials',
      ...body,
    });
  });

  test('a token of the client itself is one for all users', async () => {
    let user = 'ann';
    const options = { partition: () => user };
    const { server, get } = world({ grant: 'client_credentials', clientSecret: 's' }, options);
    await many(10, get);
    user = 'bob';
    expect(await get()).toBe(200);
    expect(server.asked()).toHaveLength(1);
    server.revoke();
    expect(await many(10, get)).toEqual(Array(10).fill(200));
    expect(server.asked()).toHaveLength(2);
  });

  test('a grant function of the application gives the token', async () => {
    const grants: unknown[] = [];
    const scene = world({
      grant: async ({ refreshToken, partition, fetch }) => {
        grants.push([refreshToken, partition]);
        const response = await fetch(
          new Request(TOKEN_ENDPOINT, {
            method: 'POST',
            body: new URLSearchParams({ grant_type: 'client_credentials' }),
          }),
        );
        return response.json();
      },
    });
    expect(await many(10, scene.get)).toEqual(Array(10).fill(200));
    scene.server.revoke();
    expect(await many(10, scene.get)).toEqual(Array(10).fill(200));
    expect(grants).toEqual([
      [undefined, 'ann'],
      ['refresh-client-1', 'ann'],
    ]);
    // Its requests do not pass through `auth`.
    expect(scene.server.asked().map(({ headers }) => headers.get('authorization'))).toEqual([null, null]);
  });
});

describe('clocks that are wrong', () => {
  test.each([86_400_000, -86_400_000])('a wall clock that is set by %d ms loses no token', async (jump) => {
    const { auth, server, get, clock } = world();
    await auth.signIn(server.login());
    clock.jump(jump);
    expect(await many(3, get)).toEqual([200, 200, 200]);
    await clock.advance(1_000);
    expect(await get()).toBe(200);
    expect(server.asked().length).toBe(jump > 0 ? 1 : 0);
    await clock.advance(3_595_000);
    expect(await get()).toBe(200);
    expect(server.served).not.toContain('401');
    expect(server.reused).toBe(false);
  });

  test('the lifetime of a token starts with the request for it, whatever the clock of the server says', async () => {
    const { auth, server, get, clock } = world();
    const headers = { date: 'Thu, 01 Jan 1970 00:00:00 GMT', expires: '0' };
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 4_000, () => json(server.login('ann', { expires_in: 100 }), 200, headers)));
    await get();
    await clock.advance(44_000);
    await get();
    expect(server.asked()).toHaveLength(1);
    // Half of its life is over, four seconds of which are the request.
    await clock.advance(3_000);
    await get();
    await clock.advance(0);
    expect(server.asked()).toHaveLength(2);
  });
});

describe('a refresh that fails', () => {
  const html = () =>
    ok('<!doctype html><title>Sign in</title>', { headers: { 'content-type': 'text/html' } });
  const SECRETS = /access-|refresh-ann|client_secret|doctype|hunter2/;

  const failures: Record<
    string,
    [(scene: World) => () => Response | Promise<Response>, Record<string, unknown>]
  > = {
    'an endpoint that hangs': [() => () => new Promise(() => {}), { transient: true }],
    'an endpoint without a network': [
      () => () => {
        throw networkError();
      },
      { transient: true },
    ],
    'a body that never ends': [() => () => new Response(new ReadableStream()), { transient: true }],
    'a login page in place of a token': [() => html, { transient: true }],
    'half a response': [() => () => ok('{"access_token": "hunt'), { transient: true }],
    'a response without end': [() => () => ok('x'.repeat(100_000)), { transient: true }],
    'a response without a token': [() => () => json({ refresh_token: 'hunter2' }), { transient: true }],
    'a token that is no header value': [() => () => json({ access_token: 'hunter2\n' }), { transient: true }],
    'a token of another type': [
      () => () => json({ access_token: 'hunter2', token_type: 'mac' }),
      { transient: true },
    ],
    'an expired token': [
      () => () => json({ access_token: 'hunter2', expires_in: 0 }),
      { transient: true, message: 'the token endpoint gave a token that has run out' },
    ],
    'a token that expired long ago': [
      () => () => json({ access_token: 'hunter2', expires_in: -5 }),
      { transient: true },
    ],
    'an endpoint that responds 503': [() => () => status(503), { transient: true }],
    'an endpoint that responds 429': [() => () => status(429, { 'retry-after': '120' }), { transient: true }],
    'an endpoint that redirects': [
      () => () => status(307, { location: 'https://evil.example' }),
      { transient: true },
    ],
    'an unknown client': [
      () => () => json({ error: 'invalid_client', error_description: 'hunter2' }, 401),
      { transient: false, message: 'the token endpoint responded 401, invalid_client' },
    ],
    'an unknown error': [
      () => () => json({ error: 'hunter2' }, 400),
      { transient: false, message: 'the token endpoint responded 400' },
    ],
    'a page with status 403': [() => () => ok('hunter2', { status: 403 }), { transient: false }],
  };

  test.each(Object.entries(failures))(
    '%s is one clear error for all calls, and delays the next refresh',
    async (_, [replyOf, facts]) => {
      const scene = world();
      const { auth, server, clock, fetch, emitted, events } = scene;
      await auth.signIn(server.login());
      await clock.advance(3_600_000);
      const step = replyOf(scene);
      for (let nth = 0; nth < 100; nth++) server.replies(() => step());
      const errors = await Promise.all(Array.from({ length: 20 }, () => failure(fetch(`${API}/x`))));
      for (const error of errors) {
        expect(error).toMatchObject({
          name: 'AuthError',
          code: 'refresh-failed',
          category: 'auth',
          origin: API,
          attempts: [],
          ...facts,
        });
        expect(error.retryAt).toBeGreaterThan(clock.now());
      }
      expect(new Set(errors).size).toBe(20);
      expect(server.asked()).toHaveLength(1);
      expect(clock.ticks() - 3_600_000).toBeLessThanOrEqual(10_000);
      expect(emitted('token-refresh-failed')).toMatchObject([
        { code: 'refresh-failed', retryAt: errors[0]?.retryAt },
      ]);

      const again = await failure(fetch(`${API}/x`));
      expect(again).toMatchObject({ code: 'refresh-failed', retryAt: errors[0]?.retryAt });
      expect(server.asked()).toHaveLength(1);
      expect(clock.pending).toBe(0);

      const shown = errors.map((error) => `${error} ${JSON.stringify(error)} ${error.stack} ${error.cause}`);
      expect(shown.join() + JSON.stringify(events)).not.toMatch(SECRETS);
      expect((errors[0]?.cause as { request?: unknown } | undefined)?.request).toBe(undefined);
    },
  );

  test('a failed refresh is repeated with backoff', async () => {
    const { auth, server, get, clock } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    for (let nth = 0; nth < 1_000; nth++) server.replies(status(503));
    for (let second = 0; second < 600; second++) {
      expect(await get()).toBe('refresh-failed');
      await clock.advance(1_000);
    }
    const at = server.asked().map((seen) => (seen.at - 3_600_000) / 1_000);
    expect(at.length).toBeGreaterThan(10);
    expect(at.length).toBeLessThan(22);
    expect(at.slice(1, 4).every((second) => second < 10)).toBe(true);
  });

  test('the next successful refresh ends the failure', async () => {
    const { auth, server, get, clock } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(status(503));
    expect(await get()).toBe('refresh-failed');
    await clock.advance(2_000);
    expect(await many(10, get)).toEqual(Array(10).fill(200));
    expect(server.asked()).toHaveLength(2);
  });

  test('a sign-in ends the failure of a refresh', async () => {
    const { auth, server, get, clock } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(json({ error: 'invalid_client' }, 401));
    expect(await get()).toBe('refresh-failed');
    await auth.signIn(server.login());
    expect(await get()).toBe(200);
  });

  test('a failed refresh is repeated as soon as there is a network', async () => {
    const { auth, server, get, clock, host } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    host.connectivity.set(false);
    for (let nth = 0; nth < 8; nth++) {
      server.replies(networkError());
      expect(await get()).toBe('refresh-failed');
      await clock.advance(60_000);
    }
    server.replies(networkError());
    expect(await get()).toBe('refresh-failed');
    host.connectivity.set(true);
    expect(await get()).toBe(200);
  });

  test('a failed refresh fails no call as long as the token is valid', async () => {
    const { auth, server, get, clock, emitted } = world();
    await auth.signIn(server.login());
    await clock.advance(3_550_000);
    for (let nth = 0; nth < 100; nth++) server.replies(hang());
    while (clock.ticks() < 3_599_000) {
      expect(await get()).toBe(200);
      await clock.advance(500);
    }
    expect(emitted('token-refresh-failed').length).toBeGreaterThan(1);
    expect(server.asked().length).toBeLessThan(5);
  });

  test('retry does not repeat a failed refresh, and the circuit of the API does not count it', async () => {
    const { auth, server, get, clock, emitted } = world(
      {},
      { around: [retry({ limit: 5 }), totalTimeout()] },
    );
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(status(503));
    expect(await get()).toBe('refresh-failed');
    expect(server.asked()).toHaveLength(1);
    expect(emitted('retry')).toEqual([]);
  });

  test('a refresh that an open circuit rejects has its retryAt', async () => {
    const policy = auth(oauth2());
    const circuit = breaker({ failures: 1, openFor: '30s', maxOpenFor: '30s' });
    const scene = scenario([policy, circuit]);
    open.push(scene);
    const server = tokenServer(scene.origin, scene.host);
    await policy.signIn(server.login());
    await scene.clock.advance(3_600_000);
    circuit.isolate(new URL(TOKEN_ENDPOINT).origin);
    expect(await failure(scene.fetch(API))).toMatchObject({
      code: 'refresh-failed',
      cause: { code: 'circuit-open' },
    });
    expect(scene.origin.seen).toEqual([]);
    circuit.reset(new URL(TOKEN_ENDPOINT).origin);
    await scene.clock.advance(2_000);
    server.replies(status(503));
    expect(await failure(scene.fetch(API))).toMatchObject({ code: 'refresh-failed' });
    await scene.clock.advance(3_000);
    const error = await failure(scene.fetch(API));
    expect(error).toMatchObject({ cause: { code: 'circuit-open' } });
    expect((error.retryAt as number) - scene.clock.now()).toBeGreaterThan(20_000);
  });

  test('a failed refresh lets the stale cache serve the last good response', async () => {
    const { auth, server, clock, fetch } = world(
      {},
      { around: [cachePolicy({ store: memoryStore() }, memoryStore)] },
    );
    await auth.signIn(server.login());
    const first = await fetch(`${API}/x`);
    expect(await first.text()).toBe('ann');
    await clock.advance(3_600_000);
    server.replies(networkError());
    const cached = await fetch(`${API}/x`);
    expect([await cached.text(), cached.headers.get('holdfast-source')]).toEqual(['ann', 'stale']);
    // Not after a sign-out.
    await auth.signOut();
    expect(await failure(fetch(`${API}/x`))).toMatchObject({ code: 'signed-out' });
  });
});

describe('a refresh that the server rejects', () => {
  test.each([
    ['invalid_grant', () => json({ error: 'invalid_grant' }, 400)],
    ['401 alone', () => status(401)],
    ['a function that returns nothing', undefined],
  ])('a refresh rejected by %s signs out, once, and nothing more is sent', async (_, step) => {
    let isRefused = false;
    const grant: MoreOAuth2 = step
      ? {}
      : { grant: async () => (isRefused ? undefined : scene.server.login()) };
    const scene = world(grant);
    const { auth, server, clock, get, emitted } = scene;
    const received: unknown[] = [];
    auth.subscribe((event) => received.push(event));
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    isRefused = true;
    if (step) server.replies(step());
    expect(await many(20, get)).toEqual(Array(20).fill('signed-out'));
    expect(await many(20, get)).toEqual(Array(20).fill('signed-out'));
    await clock.advance(600_000);
    expect(await get()).toBe('signed-out');
    expect(server.asked()).toHaveLength(step ? 1 : 0);
    expect(server.called()).toHaveLength(0);
    expect(emitted('signed-out')).toEqual([
      { type: 'signed-out', origin: API, reason: 'refused', remote: false },
    ]);
    expect(received).toEqual([
      { type: 'signed-in', partition: 'ann', remote: false },
      { type: 'signed-out', partition: 'ann', reason: 'refused', remote: false },
    ]);
    isRefused = false;
    await auth.signIn(server.login());
    expect(await get()).toBe(200);
  });

  test('an expired token without a refresh token signs out', async () => {
    const { auth, server, clock, get } = world();
    const { refresh_token: _, ...tokens } = server.login();
    await auth.signIn(tokens);
    expect(await get()).toBe(200);
    await clock.advance(3_600_000);
    expect(await get()).toBe('signed-out');
    expect(server.asked()).toHaveLength(0);
  });
});

describe('an origin that refuses every token', () => {
  test('an origin that refuses every token gets each call twice at the most, and ever fewer refreshes', async () => {
    const { auth, server, clock, get } = world();
    await auth.signIn(server.login());
    server.refuses = () => true;
    for (let minute = 0; minute < 60; minute++) {
      expect(await many(5, get)).toEqual(Array(5).fill(401));
      await clock.advance(60_000);
    }
    expect(server.asked().length).toBeLessThan(14);
    expect(server.called().length).toBeLessThanOrEqual(300 + server.asked().length * 5);
    expect(server.reused).toBe(false);
    server.refuses = () => false;
    expect(await get()).toBe(200);
  });

  test('an origin with one path that refuses the token causes no more refreshes', async () => {
    const { auth, server, clock, get } = world();
    await auth.signIn(server.login());
    server.refuses = (path) => path === '/never';
    for (let second = 0; second < 60; second++) {
      expect(await get('/well')).toBe(200);
      expect(await get('/never')).toBe(401);
      await clock.advance(1_000);
    }
    expect(server.asked().length).toBeLessThanOrEqual(3);
  });
});

describe('calls that wait for a refresh', () => {
  test('a waiting call may abort with its own reason; the others and the refresh go on', async () => {
    const { auth, server, clock, fetch, get } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 3_000, () => json(server.login())));
    const controller = new AbortController();
    const leaves = failure(fetch(API, { signal: controller.signal }));
    const stays = get();
    clock.after(1_000, () => controller.abort('gone'));
    expect(await leaves).toBe('gone');
    expect(clock.ticks()).toBe(3_601_000);
    expect(await stays).toBe(200);
    expect(server.asked()).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('all waiting calls may abort: the new token is not lost', async () => {
    const { auth, server, clock, fetch, get } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    const refreshed = server.login();
    server.replies(slow(clock, 3_000, () => json(refreshed)));
    const controller = new AbortController();
    const leaves = failure(fetch(API, { signal: controller.signal }));
    clock.after(1_000, () => controller.abort('gone'));
    await leaves;
    await clock.advance(3_000);
    expect(await get()).toBe(200);
    expect(server.called().at(-1)?.headers.get('authorization')).toBe(`Bearer ${refreshed.access_token}`);
    expect(server.asked()).toHaveLength(1);
  });

  test('the total timeout bounds the wait for a refresh', async () => {
    const { auth, server, clock, get } = world({}, { around: [totalTimeout({ total: '2s' })] });
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(hang());
    expect(await get()).toBe('timeout-total');
    expect(clock.ticks()).toBe(3_602_000);
  });

  test('close() ends waiting calls, and waits for the refresh', async () => {
    const { auth, server, clock, fetch } = world();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 3_000, () => json(server.login())));
    const waits = failure(fetch(API));
    const closed = new Promise((done) => clock.after(1_000, () => done(fetch.close())));
    expect(await waits).toMatchObject({ code: 'closed' });
    expect(clock.ticks()).toBe(3_601_000);
    await closed;
    expect(clock.ticks()).toBe(3_603_000);
    expect(clock.pending).toBe(0);
  });
});

test('a tab that never releases its lock delays the others for a limited time', async () => {
  const { locks } = globalThis.navigator ?? {};
  if (!locks) return;
  const { auth, server, get, clock, emitted } = world();
  await auth.signIn(server.login());
  await clock.advance(3_600_000);
  let release = (): void => {};
  const gate = new Promise<void>((give) => {
    release = give;
  });
  const holding = new Promise<void>((has) => {
    void locks.request(`holdfast auth ${TOKEN_ENDPOINT} app ann`, () => {
      has();
      return gate;
    });
  });
  await holding;
  expect(await many(5, get)).toEqual(Array(5).fill('refresh-failed'));
  expect(clock.ticks()).toBe(3_610_000);
  expect(emitted('token-refresh-failed')).toHaveLength(1);
  expect(server.asked()).toEqual([]);
  release();
  await clock.advance(2_000);
  expect(await get()).toBe(200);
});

describe('calls that share no promise', () => {
  const worker = (more: MoreOAuth2 = {}) => world(more, { canShareIO: false });

  test('one call refreshes, and the others poll until it is done', async () => {
    const { auth, server, clock, get } = worker();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => json(server.login())));
    expect(await many(20, get)).toEqual(Array(20).fill(200));
    expect(server.asked()).toHaveLength(1);
    server.revoke();
    await clock.advance(100_000);
    expect(await many(20, get)).toEqual(Array(20).fill(200));
    expect(server.asked()).toHaveLength(2);
    expect(server.reused).toBe(false);
    expect(clock.pending).toBe(0);
  });

  test('a failed refresh fails all calls once', async () => {
    const { auth, server, clock, get } = worker();
    await auth.signIn(server.login());
    await clock.advance(3_600_000);
    server.replies(slow(clock, 1_000, () => status(503)));
    expect(await many(20, get)).toEqual(Array(20).fill('refresh-failed'));
    expect(server.asked()).toHaveLength(1);
    expect(clock.pending).toBe(0);
  });

  test('a call that the platform ends during its refresh delays the others for a limited time', async () => {
    const host = testHost({ canShareIO: false, clock: virtualClock({ quiet }) });
    const { clock } = host;
    let isCut = true;
    // Not even a timer of it goes on.
    const after: Clock['after'] = (...timer) => (isCut ? () => {} : clock.after(...timer));
    const { server, get } = world(
      { grant: 'client_credentials', clientSecret: 's', timeout: '2s' },
      { host: { ...host, clock: { now: clock.now, ticks: clock.ticks, after } } },
    );
    // It never settles, not even for close().
    open.length = 0;
    server.replies(hang());
    void get();
    await quiet();
    isCut = false;
    expect(await get()).toBe(200);
    expect(clock.ticks()).toBe(4_000);
    expect(server.asked()).toHaveLength(2);
  });
});
