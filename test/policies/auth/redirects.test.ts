import { describe, expect, test } from 'vitest';
import { createFetch } from '../../../src/client/fetch.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import { originUrl, otherOriginUrl } from '../../support/origin-url.ts';

const origins = [originUrl()];
const SECRET = 'c2VjcmV0';

const redirect = (to: string, status = 302): string =>
  `${originUrl()}/redirect-to?status=${status}&url=${encodeURIComponent(to)}`;

const otherOrigin = (path = '/echo'): string => `${otherOriginUrl()}${path}`;

const echoed = async (response: Response): Promise<Record<string, string>> =>
  ((await response.json()) as { headers: Record<string, string> }).headers;

/** Requests that the other origin has received. */
const visits = async (path: string): Promise<unknown[]> =>
  ((await (await fetch(otherOrigin(`/control/requests?path=${path}`))).json()) as { requests: unknown[] })
    .requests;

describe.each([301, 302, 303, 307, 308])('a redirect (%d) by the platform alone', (status) => {
  test('the platform sends Authorization to no other origin, and a custom header to all', async () => {
    const headers = { authorization: 'Bearer t', 'x-api-key': 'k' };
    const away = await echoed(await fetch(redirect(otherOrigin(), status), { headers }));
    expect([away.authorization, away['x-api-key']]).toEqual([undefined, 'k']);
    const same = await echoed(await fetch(redirect(`${originUrl()}/echo`, status), { headers }));
    expect([same.authorization, same['x-api-key']]).toEqual(['Bearer t', 'k']);
  });
});

describe('auth and a redirect to another origin', () => {
  test('a redirect to another origin has no bearer token, and its 401 refreshes none', async () => {
    let tokens = 0;
    const token = (): string => `${SECRET}${++tokens}`;
    const ours = createFetch({ auth: auth({ scheme: 'bearer', origins, token }) });
    expect((await echoed(await ours(redirect(otherOrigin())))).authorization).toBe(undefined);
    const refused = await ours(redirect(otherOrigin('/echo?status=401')));
    expect([refused.status, tokens]).toEqual([401, 2]);
    await refused.text();
    expect((await echoed(await ours(redirect(`${originUrl()}/echo`)))).authorization).toBe(
      `Bearer ${SECRET}3`,
    );
    await ours.close();
  });

  test.each([
    ['a key', auth({ scheme: 'api-key', origins, header: 'x-api-key', key: SECRET })],
    [
      'a signature',
      auth({
        scheme: 'custom',
        origins,
        authorize: (request) => request.headers.set('x-signature', SECRET),
      }),
    ],
  ])('a redirect with %s in a custom header is not followed; the error says so', async (_, policy) => {
    const path = `/${crypto.randomUUID()}`;
    const ours = createFetch({ auth: policy });
    for (const status of [302, 307]) {
      const call = ours(redirect(otherOrigin(path), status));
      await expect(call).rejects.toMatchObject({ name: 'AuthError', code: 'redirected', category: 'auth' });
    }
    // redirect: 'manual' leaves the redirect to the caller.
    const own = await ours(redirect(otherOrigin(path)), { redirect: 'manual' });
    expect([0, 302]).toContain(own.status);
    await own.body?.cancel();
    expect(await visits(path)).toEqual([]);
    await ours.close();
  });

  test('a redirect to another origin has no key in the query, and its response shows none', async () => {
    const ours = createFetch({ auth: auth({ scheme: 'api-key', origins, query: 'key', key: SECRET }) });
    const path = `/${crypto.randomUUID()}`;
    const away = await ours(redirect(otherOrigin(path)));
    expect(away.url).toBe(otherOrigin(path));
    await away.text();
    expect(JSON.stringify(await visits(path))).not.toContain(SECRET);
    const same = await ours(`${originUrl()}/echo?a=1`, { method: 'POST', body: 'order' });
    expect(same.url).toBe(`${originUrl()}/echo?a=1`);
    expect(await same.json()).toMatchObject({ url: `/echo?a=1&key=${SECRET}`, body: 'order' });
    await ours.close();
  });
});
