import { afterAll, beforeAll, expect, test } from 'vitest';
import { type MisbehavingServer, startServer } from './server.ts';

let server: MisbehavingServer;
let base: string;

beforeAll(async () => {
  server = await startServer();
  base = `${server.url}/tenant/oauth`;
});
afterAll(() => server.close());

type Tokens = Record<'access_token' | 'refresh_token', string>;

const login = async (query = ''): Promise<Tokens> =>
  (await fetch(`${base}/login?${query}`, { method: 'POST' })).json() as Promise<Tokens>;

const refresh = async (token: string, query = ''): Promise<Response> =>
  fetch(`${base}/token?${query}`, {
    method: 'POST',
    body: new URLSearchParams({ grant_type: 'refresh_token', refresh_token: token }),
  });

const resource = async ({ access_token }: Tokens): Promise<number> =>
  (await fetch(`${base}/resource`, { headers: { authorization: `Bearer ${access_token}` } })).status;

test('a refresh token that is used twice ends everything that came of its sign-in', async () => {
  const first = await login();
  expect(await resource(first)).toBe(200);
  const second = (await (await refresh(first.refresh_token)).json()) as Tokens;
  expect([await resource(first), await resource(second)]).toEqual([200, 200]);
  const again = await refresh(first.refresh_token);
  expect([again.status, await again.json()]).toEqual([400, { error: 'invalid_grant' }]);
  expect([await resource(first), await resource(second)]).toEqual([401, 401]);
  expect((await refresh(second.refresh_token)).status).toBe(400);
  const counts = await (await fetch(`${base}/counts`)).json();
  expect(counts).toMatchObject({
    refreshes: 3,
    refreshed: 1,
    reused: 1,
    revoked: 1,
    accepted: 3,
    refused: 2,
  });
});

test('one that does not rotate may be used again', async () => {
  const { refresh_token } = await login();
  for (let nth = 0; nth < 2; nth++) {
    const tokens = (await (await refresh(refresh_token, 'rotate=0')).json()) as Tokens;
    expect(tokens.refresh_token).toBe(refresh_token);
  }
});

test('what is said of a token need not be so', async () => {
  expect(await login('expiresIn=0')).toMatchObject({ expires_in: 0 });
  const bad = await login('goodFor=0');
  expect(bad).toMatchObject({ expires_in: 3600 });
  expect(await resource(bad)).toBe(401);
});

test('misbehaves as the rest of it does', async () => {
  const { refresh_token } = await login();
  expect((await refresh(refresh_token, 'status=503')).status).toBe(503);
  expect((await refresh(refresh_token, 'portal=1')).headers.get('content-type')).toMatch('text/html');
  // Nothing has been used up by that.
  expect((await refresh(refresh_token)).status).toBe(200);
});
