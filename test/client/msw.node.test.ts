import { setupServer } from 'msw/node';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createClient, createFetch } from '../../src/index.ts';
import { networkError, ok, scriptedOrigin, status, virtualClock } from '../../src/testing.ts';
import { handlersOf } from '../support/msw.ts';
import { ORIGIN } from '../support/scenario.ts';

/** Calls look up the platform's fetch each time, so a fetch that tests replace takes effect. */
describe('over a fetch that msw has replaced', () => {
  const origin = scriptedOrigin(virtualClock());
  const server = setupServer(...handlersOf(origin, ORIGIN));
  beforeAll(() => server.listen({ onUnhandledFrame: 'error' }));
  afterAll(() => server.close());

  test('createFetch retries over msw', async () => {
    await using fetch = createFetch({ retry: { delay: () => 0 } });
    origin.replies(status(503), networkError(), ok('third'));
    const response = await fetch(`${ORIGIN}/orders`);
    expect([response.url, await response.text()]).toEqual([`${ORIGIN}/orders`, 'third']);
  });

  test('createClient retries over msw', async () => {
    await using api = createClient({ baseUrl: ORIGIN, retry: { delay: () => 0 } });
    origin.replies(status(503), Response.json({ n: 1 }));
    expect(await api.get('orders').json()).toEqual({ n: 1 });
  });
});
