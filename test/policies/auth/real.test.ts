import { expect, test } from 'vitest';
import { createFetch } from '../../../src/client/fetch.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import type { TokenResponse } from '../../../src/policies/auth/options.ts';
import { originUrl, otherOriginUrl } from '../../support/origin-url.ts';
import { type MoreOAuth2, oauth2 } from '../../support/token-server.ts';

/**
 * A tenant of its own for each test: the authorization server is another origin than the API, or
 * the same.
 */
function tenant(where = originUrl()) {
  const base = `${where}/${crypto.randomUUID()}/oauth`;
  return {
    base,
    login: async (query = ''): Promise<TokenResponse> =>
      (await fetch(`${base}/login?user=ann&${query}`, { method: 'POST' })).json(),
    counts: async (): Promise<Record<string, number>> => (await fetch(`${base}/counts`)).json(),
  };
}

const client = (base: string, more: MoreOAuth2 = {}, query = '') =>
  auth({
    ...oauth2({ origins: [new URL(base).origin], tokenEndpoint: `${base}/token?${query}`, ...more }),
    user: () => 'ann',
  });

/** The same promises against a real server on a real network stack, in every runtime. */
test('fifty calls with a refused token make one refresh, and the grant is not revoked', async () => {
  const { base, login, counts } = tenant();
  const policy = client(base, {}, 'delay=50');
  const ours = createFetch({ auth: policy });
  // The server grants an hour, and refuses the token at once.
  await policy.signIn(await login('goodFor=0'));
  const responses = await Promise.all(
    Array.from({ length: 50 }, (_, nth) =>
      ours(`${base}/resource/${nth}`, nth % 2 ? { method: 'POST', body: `order ${nth}` } : {}),
    ),
  );
  expect(responses.map(({ status }) => status)).toEqual(Array(50).fill(200));
  expect(await responses[1]?.json()).toMatchObject({ user: 'ann', method: 'POST' });
  for (const response of responses) if (!response.bodyUsed) await response.text();
  expect(await counts()).toMatchObject({ refreshes: 1, refreshed: 1, reused: 0, accepted: 50 });
  await ours.close();
});

test('client_credentials gets a token, by the header or by the body', async () => {
  for (const clientAuthentication of ['basic', 'body'] as const) {
    const { base, counts } = tenant(otherOriginUrl());
    const grant = 'client_credentials';
    const ours = createFetch({
      auth: client(base, { grant, clientSecret: 'secret of app', clientAuthentication }),
    });
    const responses = await Promise.all([1, 2, 3].map(() => ours(`${base}/resource`)));
    for (const response of responses) expect(await response.json()).toMatchObject({ user: 'the client' });
    expect(await counts()).toMatchObject({ clientCredentials: 1, accepted: 3 });
    await ours.close();
  }
});

test.each([
  ['hangs', 'hang=1', { transient: true }],
  ['resets', 'reset=1', { transient: true }],
  ['shows a login page', 'portal=1', { transient: true }],
  ['breaks its response off', 'resetBody=1', { transient: true }],
  ['stalls in its response', 'stall=10', { transient: true }],
  ['grants an expired token', 'expiresIn=0', { transient: true }],
  ['redirects', 'redirect=/elsewhere&redirectStatus=307', { transient: true }],
  ['responds 503', 'status=503&retryAfter=60', { transient: true }],
  ['refuses the client', 'status=403', { transient: false }],
])('a token endpoint that %s is one clear error', async (_, query, facts) => {
  const { base, login } = tenant();
  const policy = client(base, { timeout: '300ms' }, query);
  const ours = createFetch({ auth: policy });
  const tokens = await login('goodFor=0');
  await policy.signIn(tokens);
  for (let nth = 0; nth < 3; nth++) {
    const error = await ours(`${base}/resource`).catch((thrown) => thrown);
    expect(error).toMatchObject({ name: 'AuthError', code: 'refresh-failed', category: 'auth', ...facts });
    const shown = `${error} ${error.stack} ${JSON.stringify(error)} ${error.cause} ${error.cause?.cause}`;
    expect(shown).not.toContain(tokens.access_token);
    expect(shown).not.toContain(tokens.refresh_token);
  }
  await ours.close();
});

test('a redirect of the token endpoint is not followed: no other origin gets the refresh token', async () => {
  const path = `/${crypto.randomUUID()}`;
  const to = encodeURIComponent(`${otherOriginUrl()}${path}`);
  const { base, login } = tenant();
  const policy = client(base, {}, `redirect=${to}&redirectStatus=307`);
  const ours = createFetch({ auth: policy });
  await policy.signIn(await login('goodFor=0'));
  await expect(ours(`${base}/resource`)).rejects.toMatchObject({ code: 'refresh-failed' });
  const log = await (await fetch(`${otherOriginUrl()}/control/requests?path=${path}`)).json();
  expect(log).toMatchObject({ requests: [], preflights: [] });
  await ours.close();
});

test('a token endpoint that responds 401 signs the user out', async () => {
  const { base, login } = tenant();
  const policy = client(base, {}, 'status=401');
  const ours = createFetch({ auth: policy });
  await policy.signIn(await login('goodFor=0'));
  for (let nth = 0; nth < 3; nth++)
    await expect(ours(`${base}/resource`)).rejects.toMatchObject({ code: 'signed-out', transient: false });
  await ours.close();
});

test('a token that the origin never accepts is refreshed once, and the 401 goes to the caller', async () => {
  const { base, login, counts } = tenant();
  const policy = client(base, {}, 'goodFor=0');
  const ours = createFetch({ auth: policy });
  await policy.signIn(await login('goodFor=0'));
  for (let nth = 0; nth < 5; nth++) {
    const response = await ours(`${base}/resource`);
    expect(response.status).toBe(401);
    await response.text();
  }
  expect(await counts()).toMatchObject({ refreshes: 1, refused: 6 });
  await ours.close();
});
