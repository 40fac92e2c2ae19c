/** One client for all users of a server: the token is that of the request that is served. */
import { AsyncLocalStorage } from 'node:async_hooks';
import { describe, expect, test } from 'vitest';
import { auth } from '../../../src/policies/auth/auth.ts';
import { ok, status } from '../../../src/testing.ts';
import { ORIGIN, scenario } from '../../support/scenario.ts';

interface Served {
  readonly user: string;
  token: string;
}

function server(partition: string | undefined) {
  const served = new AsyncLocalStorage<Served>();
  const refused: string[] = [];
  const token = async (context: { readonly refused?: string }): Promise<string> => {
    const request = served.getStore() as Served;
    if (context.refused === undefined) return request.token;
    refused.push(context.refused);
    await Promise.resolve();
    request.token = `new ${request.user}`;
    return request.token;
  };
  const scene = scenario([auth({ scheme: 'bearer', origins: [ORIGIN], token })], { partition });
  scene.origin.otherwise((request) => {
    const sent = request.headers.get('authorization') ?? '';
    return sent.startsWith('Bearer old') ? status(401) : ok(`${request.method} as ${sent.slice(11)}`);
  });
  const as = (user: string, method = 'GET'): Promise<string> =>
    served.run({ user, token: `old ${user}` }, async () =>
      (await scene.fetch(`${ORIGIN}/me`, { method })).text(),
    );
  return { ...scene, as, refused };
}

describe.each([undefined, 'public'])('with partition %s', (partition) => {
  test('users whose tokens are refused at once each get a token of their own', async () => {
    const { as } = server(partition);
    expect(await Promise.all([as('ann'), as('bob'), as('ann', 'POST'), as('bob', 'POST')])).toEqual([
      'GET as ann',
      'GET as bob',
      'POST as ann',
      'POST as bob',
    ]);
  });

  test('a user whose token is refused a moment after that of another gets a new one', async () => {
    const { as } = server(partition);
    expect([await as('ann'), await as('bob')]).toEqual(['GET as ann', 'GET as bob']);
  });

  test('the calls of one user ask for one token', async () => {
    const { as, refused } = server(partition);
    await Promise.all([as('ann'), as('ann'), as('ann')]);
    expect(refused).toEqual(['old ann']);
  });

  test('a token that is refused at once is not renewed again and again', async () => {
    const { as, origin, refused } = server(partition);
    origin.otherwise(() => status(401));
    for (let call = 0; call < 5; call++) await as('ann');
    expect(refused.length).toBeLessThanOrEqual(2);
  });
});
