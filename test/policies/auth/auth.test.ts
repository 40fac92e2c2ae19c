import { describe, expect, test } from 'vitest';
import { staleCache } from '../../../src/client/default-stores.ts';
import { createFetch } from '../../../src/client/fetch.ts';
import { createClient } from '../../../src/client/ky/client.ts';
import { CapacityError } from '../../../src/core/errors.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import type { AuthOptions } from '../../../src/policies/auth/options.ts';
import { failover } from '../../../src/policies/failover.ts';
import { hedge } from '../../../src/policies/hedge.ts';
import { retry } from '../../../src/policies/retry/retry.ts';
import { ConfigurationError } from '../../../src/primitives/failure.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { hang, networkError, ok, slow, status } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { ORIGIN, type Scenario, scenario } from '../../support/scenario.ts';

const OTHER = 'https://other.example.com';
const origins = [ORIGIN];
const SECRET = 'c2VjcmV0';

const seen = ({ origin }: Scenario, name = 'authorization'): (string | null)[] =>
  origin.seen.map(({ headers }) => headers.get(name));

const failure = (promise: Promise<unknown>): Promise<Record<string, unknown>> =>
  promise.then(
    () => expect.unreachable('it should have failed'),
    (error) => error,
  );

/** Every part of an error that may be printed. */
const shown = (error: unknown): string => {
  const parts: string[] = [];
  for (let each = error as Error | undefined; each; each = each.cause as Error | undefined)
    parts.push(String(each), JSON.stringify(each), String(each.stack));
  return parts.join('\n');
};

test('api-key in the query: a network error has no cause, which may have the URL', async () => {
  const scene = scenario([auth({ scheme: 'api-key', origins, query: 'k', key: SECRET })]);
  scene.origin.replies((request) => {
    throw Object.assign(new TypeError('gone'), { code: 'ECONNREFUSED', url: request.url });
  });
  const error = await failure(scene.fetch(`${ORIGIN}/x`));
  expect(error).toMatchObject({ code: 'network', message: 'gone' });
  expect(error.cause).toBeUndefined();
});

describe('the credentials of a scheme', () => {
  test.each<[string, AuthOptions, string, string]>([
    ['a bearer token', { scheme: 'bearer', origins, token: SECRET }, 'authorization', `Bearer ${SECRET}`],
    [
      'the token of a function',
      { scheme: 'bearer', origins, token: async () => SECRET },
      'authorization',
      `Bearer ${SECRET}`,
    ],
    [
      'name and password, in UTF-8 (RFC 7617, 2.1)',
      { scheme: 'basic', origins, username: 'test', password: '123£' },
      'authorization',
      'Basic dGVzdDoxMjPCow==',
    ],
    [
      'a key in its header',
      { scheme: 'api-key', origins, header: 'X-Api-Key', key: SECRET },
      'x-api-key',
      SECRET,
    ],
    [
      'a header that authorize sets',
      { scheme: 'custom', origins, authorize: (request) => request.headers.set('x-signature', SECRET) },
      'x-signature',
      SECRET,
    ],
    [
      'a request that authorize returns',
      {
        scheme: 'custom',
        origins,
        authorize: (request) => new Request(request, { headers: { 'x-signature': SECRET } }),
      },
      'x-signature',
      SECRET,
    ],
  ])('auth sends %s', async (_, options, name, value) => {
    const scene = scenario([auth(options as AuthOptions<'bearer'>)]);
    await scene.fetch(`${ORIGIN}/x`, { headers: { accept: 'a/b' } });
    await scene.fetch(`${ORIGIN}/x`, { method: 'POST', body: 'order' });
    expect(seen(scene, name)).toEqual([value, value]);
    expect(scene.origin.seen.map(({ body }) => body)).toEqual(['', 'order']);
  });

  test.each([
    [`${ORIGIN}/x`, `${ORIGIN}/x?k%20y=a%20b`],
    [`${ORIGIN}/x?a=%7e+b`, `${ORIGIN}/x?a=%7e+b&k%20y=a%20b`],
    [`${ORIGIN}/x?a#there`, `${ORIGIN}/x?a&k%20y=a%20b#there`],
  ])('auth adds a key to the query, and changes nothing else: %s', async (url, sent) => {
    const scene = scenario([auth({ scheme: 'api-key', origins, query: 'k y', key: 'a b' })]);
    await scene.fetch(url, { method: 'PUT', body: 'order', headers: { 'x-a': '1' } });
    expect(scene.origin.seen).toMatchObject([{ method: 'PUT', body: 'order' }]);
    expect(scene.origin.seen[0]?.url.split('#')[0]).toBe(sent.split('#')[0]);
    expect(seen(scene, 'x-a')).toEqual(['1']);
  });

  test('auth adds nothing if the caller has set a value', async () => {
    const scene = scenario([auth({ scheme: 'bearer', origins, token: 'ours' })]);
    scene.origin.otherwise(() => status(401));
    await scene.fetch(ORIGIN, { headers: { authorization: 'Bearer mine' } });
    expect(seen(scene)).toEqual(['Bearer mine']);
  });

  test('auth adds nothing to a call with auth: false', async () => {
    const scene = scenario([auth({ scheme: 'bearer', origins, token: 'ours' })]);
    await scene.fetch(ORIGIN, { holdfast: { auth: false } });
    expect(seen(scene)).toEqual([null]);
  });

  test('auth computes the credentials of each attempt again', async () => {
    let made = 0;
    const scene = scenario([
      retry({ delay: () => 0 }),
      auth({ scheme: 'bearer', origins, token: () => `t${++made}` }),
    ]);
    scene.origin.replies(networkError(), status(503));
    await scene.fetch(ORIGIN);
    expect(seen(scene)).toEqual(['Bearer t1', 'Bearer t2', 'Bearer t3']);
  });
});

describe('the origins of auth', () => {
  test.each([
    'https://api.example.com.evil.com',
    'http://api.example.com',
    'https://api.example.com:444',
    OTHER,
  ])('auth sends no credentials to %s', async (url) => {
    const scene = scenario([auth({ scheme: 'bearer', origins, token: SECRET })]);
    await scene.fetch(`${url}/x`);
    expect(seen(scene)).toEqual([null]);
  });

  test('auth sends no credentials to another origin after failover, and sends them again to its own', async () => {
    const scene = scenario([
      failover({ origins: [OTHER, ORIGIN] }),
      auth({ scheme: 'api-key', origins, header: 'x-api-key', key: SECRET }),
    ]);
    scene.origin.replies(networkError());
    await scene.fetch(`${ORIGIN}/x`);
    expect(scene.origin.seen.map(({ url }) => url)).toEqual([`${OTHER}/x`, `${ORIGIN}/x`]);
    expect(seen(scene, 'x-api-key')).toEqual([null, SECRET]);
  });

  test('auth sends no credentials with the second attempt of a hedge to another origin', async () => {
    const scene = scenario([
      hedge({ delay: 100, share: 1, origins: [ORIGIN, OTHER] }),
      auth({ scheme: 'bearer', origins, token: SECRET }),
    ]);
    scene.origin.replies(slow(scene.clock, 1_000));
    await scene.fetch(`${ORIGIN}/x`);
    expect(seen(scene)).toEqual([`Bearer ${SECRET}`, null]);
  });
});

describe('a 401', () => {
  test('a 401 goes to the caller if there is no other token', async () => {
    const scene = scenario([auth({ scheme: 'bearer', origins, token: SECRET })]);
    scene.origin.replies(status(401));
    expect((await scene.fetch(ORIGIN)).status).toBe(401);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('after a 401 auth calls the token function once for all calls, and repeats each call once', async () => {
    const contexts: unknown[] = [];
    let token = 'old';
    const scene = scenario(
      [
        auth({
          scheme: 'bearer',
          origins,
          token: async (context) => {
            if (context.refused !== undefined) {
              contexts.push(context);
              token = 'new';
            }
            return token;
          },
        }),
      ],
      { partition: 'ann' },
    );
    scene.origin.otherwise((request) =>
      request.headers.get('authorization') === 'Bearer new' ? ok('yes') : status(401),
    );
    const responses = await Promise.all(
      Array.from({ length: 20 }, (_, nth) =>
        scene.fetch(`${ORIGIN}/${nth}`, { method: 'POST', body: `order ${nth}` }),
      ),
    );
    expect(responses.map((response) => response.status)).toEqual(Array(20).fill(200));
    expect(contexts).toEqual([{ partition: 'ann', refused: 'old' }]);
    expect(scene.origin.seen).toHaveLength(40);
    expect(new Set(scene.origin.seen.slice(20).map(({ body }) => body)).size).toBe(20);
    expect(scene.emitted('auth-replayed')).toHaveLength(20);
  });

  test('after a 401 auth takes a token that is new by then, without a refresh', async () => {
    let token = 'old';
    const refusedTokens: unknown[] = [];
    const scene = scenario([
      auth({
        scheme: 'bearer',
        origins,
        token: ({ refused }) => {
          refusedTokens.push(refused);
          return token;
        },
      }),
    ]);
    scene.origin.replies(() => {
      token = 'new';
      return status(401);
    });
    expect((await scene.fetch(ORIGIN)).status).toBe(200);
    expect(refusedTokens).toEqual([undefined, undefined]);
    expect(seen(scene)).toEqual(['Bearer old', 'Bearer new']);
  });

  test('a 401 goes to the caller if the function has no new token', async () => {
    const scene = scenario([auth({ scheme: 'bearer', origins, token: () => 'same' })]);
    scene.origin.otherwise(() => status(401));
    expect((await scene.fetch(ORIGIN)).status).toBe(401);
    expect(scene.origin.seen).toHaveLength(1);
  });

  test('a 401 after a new token goes to the caller, and delays the next refresh', async () => {
    let made = 0;
    const scene = scenario([
      auth({
        scheme: 'bearer',
        origins,
        token: ({ refused }) => `t${refused === undefined ? made : ++made}`,
      }),
    ]);
    scene.origin.otherwise(() => status(401));
    const minutes: number[] = [];
    for (let minute = 0; minute < 60; minute++) {
      expect((await scene.fetch(ORIGIN)).status).toBe(401);
      if (minutes.length < made) minutes.push(minute);
      await scene.clock.advance(60_000);
    }
    // Each time the delay is longer: up to ten minutes.
    expect(minutes).toEqual([0, 1, 2, 4, 8, 16, 26, 36, 46, 56]);
    expect(scene.origin.seen).toHaveLength(60 + made);
  });

  test('after a 401 a custom scheme repeats the call with the credentials of `refresh`', async () => {
    let key = 'old';
    let refreshed = 0;
    const scene = scenario([
      auth({
        scheme: 'custom',
        origins,
        authorize: (request) => request.headers.set('x-signature', key),
        refresh: async () => {
          refreshed++;
          key = 'new';
        },
      }),
    ]);
    scene.origin.otherwise((request) => (request.headers.get('x-signature') === 'new' ? ok() : status(401)));
    const responses = await Promise.all([1, 2, 3].map(() => scene.fetch(ORIGIN)));
    expect(responses.map((response) => response.status)).toEqual([200, 200, 200]);
    expect(refreshed).toBe(1);
  });

  test('a 403 refreshes no token', async () => {
    const refusedTokens: unknown[] = [];
    const token = ({ refused }: { refused?: string }): string => {
      refusedTokens.push(refused);
      return SECRET;
    };
    const scene = scenario([auth({ scheme: 'bearer', origins, token })]);
    scene.origin.replies(status(403));
    expect((await scene.fetch(ORIGIN)).status).toBe(403);
    expect(refusedTokens).toEqual([undefined]);
  });

  test('a body that is too large to retain is sent once, and the next call has the new token', async () => {
    let token = 'old';
    const scene = scenario([
      auth({
        scheme: 'bearer',
        origins,
        bodyLimit: '4B',
        token: ({ refused }) => {
          if (refused) token = 'new';
          return token;
        },
      }),
    ]);
    scene.origin.replies(status(401));
    const body = new Blob(['a large order']).stream();
    const init = { method: 'POST', body, duplex: 'half' } as RequestInit;
    // Without streaming requests a body is one text in memory anyway.
    const request = new Request(ORIGIN, init);
    if (request.headers.get('content-type')?.startsWith('text/')) return;
    expect((await scene.fetch(request)).status).toBe(401);
    await scene.fetch(ORIGIN);
    expect(seen(scene)).toEqual(['Bearer old', 'Bearer new']);
  });
});

test('a body that can be read only once is cloned once, for all policies that may repeat it', async () => {
  let token = 'old';
  const scene = scenario([
    retry({ delay: () => 0 }),
    auth({
      scheme: 'bearer',
      origins,
      token: ({ refused }) => {
        if (refused) token = 'new';
        return token;
      },
    }),
  ]);
  scene.origin.replies(status(401), status(503), ok());
  const request = new Request(ORIGIN, { method: 'PUT', body: 'order' });
  const native = Request.prototype.clone;
  let cloned = 0;
  Request.prototype.clone = function () {
    cloned++;
    return native.call(this);
  };
  try {
    expect((await scene.fetch(request)).status).toBe(200);
  } finally {
    Request.prototype.clone = native;
  }
  expect(scene.origin.seen.map(({ body }) => body)).toEqual(['order', 'order', 'order']);
  expect(cloned).toBe(1);
});

test('the calls of a client have credentials, except those with auth: false', async () => {
  const { origin, host } = scenario([]);
  const policy = auth({ scheme: 'bearer', origins, token: SECRET });
  const routes = [{ match: '/public', auth: false }];
  const api = createClient({ baseUrl: ORIGIN, auth: policy, routes, fetch: origin.fetch, host });
  for (const path of ['orders', 'public/x']) await api.get(path).text();
  await api.get('orders', { auth: false }).text();
  expect(origin.seen.map(({ headers }) => headers.get('authorization'))).toEqual([
    `Bearer ${SECRET}`,
    null,
    null,
  ]);
  await api.close();
});

describe('a token function of the application', () => {
  const FUNCTIONS: Record<string, [() => unknown, Record<string, unknown>]> = {
    'that throws': [
      () => {
        throw new Error('mine');
      },
      { code: 'credentials-failed', transient: true, cause: { message: 'mine' } },
    ],
    'that rejects': [
      () => Promise.reject(new Error('mine')),
      { code: 'credentials-failed', transient: true },
    ],
    'that never settles': [() => new Promise(() => {}), { code: 'credentials-failed', transient: true }],
    'that returns a number': [() => 7, { code: 'credentials-failed' }],
    'that returns an invalid header value': [() => `${SECRET}\n`, { code: 'credentials-failed' }],
    'that returns nothing: no user is signed in': [() => undefined, { code: 'signed-out', transient: false }],
    'that returns an empty text': [() => '', { code: 'signed-out' }],
  };

  test.each(Object.entries(FUNCTIONS))(
    'a token function %s fails the call, and nothing is sent',
    async (_, [token, facts]) => {
      const scene = scenario([auth({ scheme: 'bearer', origins, token: token as () => string })]);
      const error = await failure(scene.fetch(`${ORIGIN}/x?a=${SECRET}`));
      expect(error).toMatchObject({ name: 'AuthError', category: 'auth', origin: ORIGIN, ...facts });
      expect(shown(error)).not.toContain(SECRET);
      expect(scene.origin.seen).toHaveLength(0);
      expect(scene.emitted('refused')).toMatchObject([{ code: facts.code }]);
      expect(scene.clock.pending).toBe(0);
    },
  );

  test('a caller that aborts stops waiting for the token, and the others go on', async () => {
    const scene = scenario([
      auth({
        scheme: 'bearer',
        origins,
        token: ({ refused }) =>
          refused === undefined ? 'old' : new Promise((give) => scene.clock.after(1_000, () => give('new'))),
      }),
    ]);
    scene.origin.replies(status(401), status(401));
    const controller = new AbortController();
    const leaves = failure(scene.fetch(ORIGIN, { signal: controller.signal }));
    const stays = scene.fetch(ORIGIN);
    scene.clock.after(500, () => controller.abort('gone'));
    expect(await leaves).toBe('gone');
    expect(scene.clock.ticks()).toBe(500);
    expect((await stays).status).toBe(200);
    expect(scene.clock.pending).toBe(0);
  });

  test('a call is not repeated with the token of another user after a sign-out', async () => {
    let user = 'ann';
    const scene = scenario(
      [
        retry({ delay: () => 1_000, jitter: 'none' }),
        auth({
          scheme: 'bearer',
          origins,
          user: () => user,
          token: () => `token of ${user}`.replace(/ /g, '-'),
        }),
      ],
      {},
    );
    scene.origin.replies(() => {
      user = 'bob';
      return status(503);
    });
    expect(await failure(scene.fetch(ORIGIN))).toMatchObject({ code: 'user-changed', category: 'auth' });
    expect(seen(scene)).toEqual(['Bearer token-of-ann']);
  });

  test('a token that the function read for another user is not sent', async () => {
    let user = 'ann';
    let called = (): void => {};
    const isCalled = new Promise<void>((resolve) => {
      called = resolve;
    });
    let give = (_token: string): void => {};
    const given = new Promise<string>((resolve) => {
      give = resolve;
    });
    const scene = scenario(
      [
        auth({
          scheme: 'bearer',
          origins,
          user: () => user,
          token({ partition }) {
            if (partition === 'bob') return 'token-of-bob';
            called();
            return given;
          },
        }),
      ],
      {},
    );
    const call = failure(scene.fetch(ORIGIN));
    await isCalled;
    user = 'bob';
    await scene.fetch(ORIGIN);
    give('token-of-bob');
    user = 'ann';
    expect(await call).toMatchObject({ code: 'user-changed', category: 'auth' });
    expect(seen(scene)).toEqual(['Bearer token-of-bob']);
  });
});

describe('the user of auth', () => {
  const kept = () => auth({ scheme: 'bearer', origins, token: SECRET, user: () => 'ann' });

  test('auth may have the user option in place of the partition', async () => {
    const fetch = createFetch({ auth: kept(), staleCache: staleCache({ store: memoryStore() }) });
    await fetch.close();
  });

  test('a user option and a partition together are an error', () => {
    expect(() => createFetch({ auth: kept(), partition: 'ann' })).toThrow(
      /partition.*'auth' says it already/,
    );
  });

  test('a store without a user option or a partition is an error', () => {
    const client = auth({
      scheme: 'oauth2',
      origins,
      grant: 'refresh_token',
      tokenEndpoint: `${OTHER}/token`,
      clientId: 'app',
      store: memoryStore(),
    });
    expect(() => createFetch({ auth: client })).toThrow(/partition.*'auth' needs it/);
  });
});

describe('options', () => {
  const id = { tokenEndpoint: `${OTHER}/token`, clientId: 'app' };
  test.each<[string, object, RegExp]>([
    ['no scheme', { origins }, /auth\.scheme: undefined.*bearer, basic, api-key, oauth2, custom/],
    ['another scheme', { scheme: 'digest', origins }, /auth\.scheme: 'digest'/],
    ['no origins', { scheme: 'bearer', token: SECRET }, /auth\.origins: undefined/],
    ['an empty list', { scheme: 'bearer', token: SECRET, origins: [] }, /auth\.origins/],
    [
      'a URL',
      { scheme: 'bearer', token: SECRET, origins: [`${ORIGIN}/v1`] },
      /auth\.origins.*expected an origin/,
    ],
    ['no token', { scheme: 'bearer', origins }, /auth\.token: undefined.*needs it/],
    ['a token with a line break', { scheme: 'bearer', origins, token: `${SECRET}\n` }, /auth\.token: '…'/],
    ['a number', { scheme: 'bearer', origins, token: 7 }, /auth\.token: '…'/],
    [
      'a misspelt option',
      { scheme: 'bearer', origins, tokn: SECRET, token: SECRET },
      /auth\.tokn: '…'.*unknown option/,
    ],
    ['a colon in a name', { scheme: 'basic', origins, username: 'a:b', password: SECRET }, /auth\.username/],
    [
      'a password that is no text',
      { scheme: 'basic', origins, username: 'a', password: [SECRET] },
      /auth\.password: '…'/,
    ],
    ['neither header nor query', { scheme: 'api-key', origins, key: SECRET }, /either a header or a query/],
    [
      'both',
      { scheme: 'api-key', origins, key: SECRET, header: 'a', query: 'b' },
      /either a header or a query/,
    ],
    ['no name', { scheme: 'api-key', origins, key: SECRET, header: 'a b' }, /auth\.header.*name of a header/],
    ['no function', { scheme: 'custom', origins, authorize: SECRET }, /auth\.authorize/],
    ['no grant', { scheme: 'oauth2', origins, ...id }, /auth\.grant: undefined/],
    [
      'another grant',
      { scheme: 'oauth2', origins, ...id, grant: 'password' },
      /refresh_token, client_credentials/,
    ],
    [
      'no endpoint',
      { scheme: 'oauth2', origins, grant: 'refresh_token', clientId: 'a' },
      /auth\.tokenEndpoint/,
    ],
    [
      'a path',
      { scheme: 'oauth2', origins, ...id, grant: 'refresh_token', tokenEndpoint: '/token' },
      /auth\.tokenEndpoint: '\/token'.*absolute URL/,
    ],
    [
      'an endpoint with a function',
      { scheme: 'oauth2', origins, ...id, grant: async () => undefined },
      /auth\.tokenEndpoint/,
    ],
    ['no secret', { scheme: 'oauth2', origins, ...id, grant: 'client_credentials' }, /auth\.clientSecret/],
    [
      'a secret that is no text',
      { scheme: 'oauth2', origins, ...id, grant: 'client_credentials', clientSecret: { SECRET } },
      /auth\.clientSecret: '…'/,
    ],
    [
      'a durable store without encryption',
      { scheme: 'oauth2', origins, ...id, grant: 'refresh_token', store: durableStore() },
      /auth\.encryption: undefined.*written to the disk/,
    ],
    [
      'an invalid duration',
      { scheme: 'bearer', origins, token: SECRET, timeout: '5 s' },
      /did you mean '5s'/,
    ],
  ])('auth with %s is a configuration error that shows no secret', (_, options, message) => {
    let error: unknown;
    try {
      auth(options as AuthOptions<'bearer'>);
    } catch (thrown) {
      error = thrown;
    }
    expect(error).toBeInstanceOf(ConfigurationError);
    expect((error as Error).message).toMatch(message);
    expect(shown(error)).not.toContain(SECRET);
  });

  test('the auth option of a call accepts only a boolean', async () => {
    const scene = scenario([auth({ scheme: 'bearer', origins, token: SECRET })]);
    await expect(scene.fetch(ORIGIN, { holdfast: { auth: { token: 'x' } } })).rejects.toThrow(/auth/);
  });
});

describe('a key in the query', () => {
  const keyed = () => auth({ scheme: 'api-key', origins, query: 'key', key: SECRET });

  test('a key in the query is not in the URL of the response', async () => {
    const scene = scenario([keyed()]);
    scene.origin.replies((request) =>
      Object.defineProperty(ok('x'), 'url', { value: request.url, configurable: true }),
    );
    const response = await scene.fetch(`${ORIGIN}/x?a=1`);
    expect([response.url, response.clone().url]).toEqual([`${ORIGIN}/x?a=1`, `${ORIGIN}/x?a=1`]);
    expect(await response.text()).toBe('x');
  });

  test.each([
    ["it's", 'it%27s'],
    ['a/b+c==', 'a/b+c=='],
    ['a/b+c==', 'a%2Fb%2Bc%3D%3D'],
  ])('a key in the query, %s, is not in the URL of a redirect that writes it as %s', async (key, written) => {
    const scene = scenario([auth({ scheme: 'api-key', origins, query: 'key', key })]);
    const url = `${ORIGIN}/y?key=${written}`;
    const value = (of: unknown) => ({ value: of, configurable: true });
    scene.origin.replies(
      (request) => Object.defineProperty(ok('x'), 'url', value(request.url)),
      () => Object.defineProperties(ok('x'), { url: value(url), redirected: value(true) }),
    );
    expect((await scene.fetch(`${ORIGIN}/x`)).url).toBe(`${ORIGIN}/x`);
    expect((await scene.fetch(`${ORIGIN}/x`)).url).not.toContain(written);
  });

  test.each([
    ['', '?page=2'],
    ['?a=1', '?a=1&page=2'],
  ])(
    'a key in the query %s is not in the headers of a response, which may link to a page',
    async (query, next) => {
      const scene = scenario([keyed()]);
      scene.origin.otherwise(({ url }) => ok('x', { headers: { link: `<${url}&page=2>; rel="next"` } }));
      const response = await scene.fetch(`${ORIGIN}/x${query}`);
      const link = `<${ORIGIN}/x${next}>; rel="next"`;
      expect([response, response.clone()].map(({ headers }) => headers.get('link'))).toEqual([link, link]);
      expect(await response.text()).toBe('x');
    },
  );

  test('a key in the query is not in an error', async () => {
    const scene = scenario([keyed()]);
    scene.origin.replies(((request: Request) => {
      throw networkError(`error sending request for url (${request.url})`);
    }) as () => never);
    const error = await failure(scene.fetch(`${ORIGIN}/x`));
    expect(error).toMatchObject({ name: 'TypeError', code: 'network' });
    expect((error.request as Request).url).toBe(`${ORIGIN}/x`);
    expect(shown(error)).not.toContain(SECRET);
  });
});

test('an error has the request of the caller, without credentials', async () => {
  const scene = scenario([
    (next) => (request, call) =>
      next(request, call).catch((error) => {
        expect((error.request as Request).headers.get('authorization')).toBe(null);
        throw error;
      }),
    auth({ scheme: 'bearer', origins, token: SECRET }),
  ]);
  scene.origin.replies(networkError());
  const error = await failure(scene.fetch(ORIGIN));
  expect((error.request as Request).headers.get('authorization')).toBe(null);
  expect(JSON.stringify(scene.events)).not.toContain(SECRET);
});

test('a rejection by an inner policy passes, and names no credentials', async () => {
  const refusal = new CapacityError('rate-limit', 'too many');
  const scene = scenario([
    auth({ scheme: 'bearer', origins, token: SECRET }),
    () => () => Promise.reject(refusal),
  ]);
  expect(await failure(scene.fetch(ORIGIN))).toBe(refusal);
  expect(scene.emitted('refused')).toEqual([]);
});

test('a call that is aborted while the origin is silent ends with the caller’s reason', async () => {
  const scene = scenario([auth({ scheme: 'bearer', origins, token: () => SECRET })]);
  scene.origin.replies(hang());
  const controller = new AbortController();
  const error = failure(scene.fetch(ORIGIN, { signal: controller.signal }));
  scene.clock.after(100, () => controller.abort('mine'));
  expect(await error).toBe('mine');
  expect(scene.clock.pending).toBe(0);
});
