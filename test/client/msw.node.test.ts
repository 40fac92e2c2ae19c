import { setupServer } from 'msw/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, createFetch } from '../../src/index.ts';
import { networkError, ok, scriptedOrigin, status, virtualClock } from '../../src/testing/index.ts';
import { handlersOf } from '../support/msw.ts';
import { ORIGIN } from '../support/scenario.ts';

/** The platform's fetch is looked up at each call, so what users put in its place for their tests is found. */
describe('over a fetch that msw has taken over', () => {
  const origin = scriptedOrigin(virtualClock());
  const server = setupServer(...handlersOf(origin, ORIGIN));
  beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
  afterAll(() => server.close());

  test('createFetch retries', async () => {
    await using fetch = createFetch({ retry: { delay: () => 0 } });
    origin.replies(status(503), networkError(), ok('third'));
    const response = await fetch(`${ORIGIN}/orders`);
    expect([response.url, await response.text()]).toEqual([`${ORIGIN}/orders`, 'third']);
  });

  test('createClient does, too', async () => {
    await using api = createClient({ baseUrl: ORIGIN, retry: { delay: () => 0 } });
    origin.replies(status(503), Response.json({ n: 1 }));
    expect(await api.get('orders').json()).toEqual({ n: 1 });
  });
});
