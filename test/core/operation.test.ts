import { expect, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { createClient } from '../../src/client/ky/client.ts';
import { ok } from '../../src/testing.ts';
import { scenario } from '../support/scenario.ts';

const URL_ = 'https://api.example.com/orders/7';

test('events say what the application calls a call, by itself or by its route', async () => {
  const { fetch, emitted } = scenario([], { routes: [{ match: '/orders', operation: 'read an order' }] });
  await fetch(URL_);
  await fetch(URL_, { method: 'PUT', body: '12345', holdfast: { operation: 'mend an order' } });
  await fetch('https://api.example.com/other');
  expect(emitted('call-started').map(({ operation }) => operation)).toEqual([
    'read an order',
    'mend an order',
    undefined,
  ]);
  expect(emitted('call-ended')).toMatchObject([
    { operation: 'read an order', method: 'GET', sent: 0 },
    { operation: 'mend an order', method: 'PUT', sent: 5 },
    { method: 'GET' },
  ]);
});

test.each(['g', 'y'])('a route with a RegExp of flag %s matches each call', async (flag) => {
  const match = new RegExp('https://api.example.com/orders', flag);
  const { fetch, emitted } = scenario([], { routes: [{ match, operation: 'orders' }] });
  for (let call = 0; call < 3; call++) await fetch(URL_);
  expect(emitted('call-started').map(({ operation }) => operation)).toEqual(['orders', 'orders', 'orders']);
});

test('events say how much came, where the origin does', async () => {
  const { fetch, emitted, origin } = scenario([]);
  origin.replies(
    ok('four', { headers: { 'content-length': '4' } }),
    ok('?', { headers: { 'content-length': 'x' } }),
  );
  await fetch(URL_);
  await fetch(URL_);
  expect(emitted('call-ended').map(({ received }) => received)).toEqual([4, undefined]);
});

test('it may be said through ky', async () => {
  const operations: unknown[] = [];
  const api = createClient({
    fetch: async () => new Response('{}'),
    onEvent: (event) => event.type === 'call-started' && operations.push(event.operation),
  });
  await api.get(URL_, { operation: 'read' }).json();
  expect(operations).toEqual(['read']);
  await api.close();
});

test('one that is no text is an error', async () => {
  const api = createFetch({ fetch: async () => new Response() });
  await expect(api(URL_, { holdfast: { operation: 7 as never } })).rejects.toThrow(
    /operation: 7 .* a string/,
  );
  expect(() => createFetch({ routes: [{ match: '/', operation: {} as never }] })).toThrow(
    /operation: {} .* a string/,
  );
  await api.close();
});
