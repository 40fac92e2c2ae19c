import { expect, test } from 'vitest';
import { createFetch } from '../../../src/client/fetch.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import type { TokenResponse } from '../../../src/policies/auth/tokens.ts';
import { originUrl, otherOriginUrl } from '../../support/origin-url.ts';
import { type MoreOAuth2, oauth2 } from '../../support/token-server.ts';

/** A tenant of its own for each test: the authorization server is another origin than what it guards, or the same. */
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

/** The same once more, against a real server on a real network stack, in every runtime. */
test('fifty calls whose token is refused are one refresh, and the grant is not revoked', async () => {
  const { base, login, counts } = tenant();
  const policy = client(base, {}, 'delay=50');
  const ours = createFetch({ auth: policy });
  // It says that it is good for an hour, and is not.
  await policy.signIn(await login('goodFor=0'));
  const answers = await Promise.all(
    Array.from({ length: 50 }, (_, nth) =>
      ours(`${base}/resource/${nth}`, nth % 2 ? { method: 'POST', body: `order ${nth}` } : {}),
    ),
  );
  expect(answers.map(({ status }) => status)).toEqual(Array(50).fill(200));
  expect(await answers[1]?.json()).toMatchObject({ user: 'ann', method: 'POST' });
  for (const answer of answers) if (!answer.bodyUsed) await answer.text();
  expect(await counts()).toMatchObject({ refreshes: 1, refreshed: 1, reused: 0, accepted: 50 });
  await ours.close();
});

test('a client has its own token, in the header or in the body', async () => {
  for (const clientAuthentication of ['basic', 'body'] as const) {
    const { base, counts } = tenant(otherOriginUrl());
    const grant = 'client_credentials';
    const ours = createFetch({
      auth: client(base, { grant, clientSecret: 'secret of app', clientAuthentication }),
    });
    const answers = await Promise.all([1, 2, 3].map(() => ours(`${base}/resource`)));
    for (const answer of answers) expect(await answer.json()).toMatchObject({ user: 'the client' });
    expect(await counts()).toMatchObject({ clientCredentials: 1, accepted: 3 });
    await ours.close();
  }
});

test.each([
  ['hangs', 'hang=1', { transient: true }],
  ['resets', 'reset=1', { transient: true }],
  ['shows a login page', 'portal=1', { transient: true }],
  ['breaks its answer off', 'resetBody=1', { transient: true }],
  ['stalls in its answer', 'stall=10', { transient: true }],
  ['hands out a token that has run out', 'expiresIn=0', { transient: true }],
  ['redirects', 'redirect=/elsewhere&redirectStatus=307', { transient: true }],
  ['is in trouble', 'status=503&retryAfter=60', { transient: true }],
  ['refuses the client', 'status=403', { transient: false }],
])('a token endpoint that %s is a clear end', async (_, query, facts) => {
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

test('a token endpoint that redirects is not followed: nobody else gets the refresh token', async () => {
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

test('one that always says 401 signs out', async () => {
  const { base, login } = tenant();
  const policy = client(base, {}, 'status=401');
  const ours = createFetch({ auth: policy });
  await policy.signIn(await login('goodFor=0'));
  for (let nth = 0; nth < 3; nth++)
    await expect(ours(`${base}/resource`)).rejects.toMatchObject({ code: 'signed-out', transient: false });
  await ours.close();
});

test('a token that the origin never takes is refreshed once, and the 401 is the caller’s', async () => {
  const { base, login, counts } = tenant();
  const policy = client(base, {}, 'goodFor=0');
  const ours = createFetch({ auth: policy });
  await policy.signIn(await login('goodFor=0'));
  for (let nth = 0; nth < 5; nth++) {
    const answer = await ours(`${base}/resource`);
    expect(answer.status).toBe(401);
    await answer.text();
  }
  expect(await counts()).toMatchObject({ refreshes: 1, refused: 6 });
  await ours.close();
});
