import { describe, expect, test } from 'vitest';
import { createFetch } from '../../../src/client/fetch.ts';
import { auth } from '../../../src/policies/auth/auth.ts';
import { originUrl, otherOriginUrl } from '../../support/origin-url.ts';

const origins = [originUrl()];
const SECRET = 'c2VjcmV0';

const redirect = (to: string, status = 302): string =>
  `${originUrl()}/redirect-to?status=${status}&url=${encodeURIComponent(to)}`;

const elsewhere = (path = '/echo'): string => `${otherOriginUrl()}${path}`;

const echoed = async (answer: Response): Promise<Record<string, string>> =>
  ((await answer.json()) as { headers: Record<string, string> }).headers;

/** Requests that the other origin has had. */
const visits = async (path: string): Promise<unknown[]> =>
  ((await (await fetch(elsewhere(`/control/requests?path=${path}`))).json()) as { requests: unknown[] })
    .requests;

describe.each([301, 302, 303, 307, 308])('a redirect (%d), by the platform alone,', (status) => {
  test('carries Authorization to no other origin, and a header of one’s own to all', async () => {
    const headers = { authorization: 'Bearer t', 'x-api-key': 'k' };
    const away = await echoed(await fetch(redirect(elsewhere(), status), { headers }));
    expect([away.authorization, away['x-api-key']]).toEqual([undefined, 'k']);
    const home = await echoed(await fetch(redirect(`${originUrl()}/echo`, status), { headers }));
    expect([home.authorization, home['x-api-key']]).toEqual(['Bearer t', 'k']);
  });
});

describe('a redirect to another origin', () => {
  test('goes without a bearer token, and its 401 is not about it', async () => {
    let asked = 0;
    const token = (): string => `${SECRET}${++asked}`;
    const ours = createFetch({ auth: auth({ scheme: 'bearer', origins, token }) });
    expect((await echoed(await ours(redirect(elsewhere())))).authorization).toBe(undefined);
    const refused = await ours(redirect(elsewhere('/echo?status=401')));
    expect([refused.status, asked]).toEqual([401, 2]);
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
  ])('is not followed with %s in a header of its own; the error says so', async (_, policy) => {
    const path = `/${crypto.randomUUID()}`;
    const ours = createFetch({ auth: policy });
    for (const status of [302, 307]) {
      const call = ours(redirect(elsewhere(path), status));
      await expect(call).rejects.toMatchObject({ name: 'AuthError', code: 'redirected', category: 'auth' });
    }
    // Whoever deals with redirects gets them to deal with.
    const own = await ours(redirect(elsewhere(path)), { redirect: 'manual' });
    expect([0, 302]).toContain(own.status);
    await own.body?.cancel();
    expect(await visits(path)).toEqual([]);
    await ours.close();
  });

  test('takes no key in the query along, and the response does not tell it', async () => {
    const ours = createFetch({ auth: auth({ scheme: 'api-key', origins, query: 'key', key: SECRET }) });
    const path = `/${crypto.randomUUID()}`;
    const away = await ours(redirect(elsewhere(path)));
    expect(away.url).toBe(elsewhere(path));
    await away.text();
    expect(JSON.stringify(await visits(path))).not.toContain(SECRET);
    const home = await ours(`${originUrl()}/echo?a=1`, { method: 'POST', body: 'order' });
    expect(home.url).toBe(`${originUrl()}/echo?a=1`);
    expect(await home.json()).toMatchObject({ url: `/echo?a=1&key=${SECRET}`, body: 'order' });
    await ours.close();
  });
});
