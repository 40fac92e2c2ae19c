import { DatabaseSync } from 'node:sqlite';
import { createFetch, memoryStore, outbox } from 'holdfast';
import { expect, test } from 'vitest';
import { ordersServer } from '../../docs/recipes/idempotent-server.ts';

const URL_OF_ORDERS = 'https://api.example.com/orders';

const server = () =>
  ordersServer(new DatabaseSync(':memory:'), (request) => request.headers.get('x-user') ?? '');
const post = (key: string, item: string, user = 'ann') =>
  new Request(URL_OF_ORDERS, {
    method: 'POST',
    headers: { 'idempotency-key': `"${key}"`, 'x-user': user },
    body: JSON.stringify({ item }),
  });
const orders = async (app: ReturnType<typeof server>, user = 'ann') =>
  (await app.request(URL_OF_ORDERS, { headers: { 'x-user': user } })).json();

test('a write that arrives twice is applied once, and has the same response twice', async () => {
  const app = server();
  const [first, second] = [await app.request(post('1', 'tea')), await app.request(post('1', 'tea'))];
  expect([first.status, second.status]).toEqual([201, 201]);
  expect(await second.text()).toBe(await first.text());
  expect(await orders(app)).toEqual([{ id: 1, item: 'tea' }]);
  expect(await orders(app, 'bob')).toEqual([]);
});

test('a key with another body is a 422, and the key of another user is another key', async () => {
  const app = server();
  await app.request(post('1', 'tea'));
  expect((await app.request(post('1', 'bread'))).status).toBe(422);
  expect((await app.request(post('1', 'bread', 'bob'))).status).toBe(201);
});

test('a write without a key, or without an item, is a 400 and is not applied', async () => {
  const app = server();
  const withoutKey = await app.request(URL_OF_ORDERS, { method: 'POST', body: '{"item":"tea"}' });
  expect([withoutKey.status, (await app.request(post('1', ''))).status]).toEqual([400, 400]);
  expect(await orders(app)).toEqual([]);
});

test('a write of an outbox whose first response is lost is applied once', async () => {
  const app = server();
  let sent = 0;
  const box = outbox({ store: memoryStore() });
  const fetch = createFetch({
    partition: 'public',
    outbox: box,
    async fetch(...request) {
      const response = await app.request(new Request(...request));
      if (sent++ === 0) throw new TypeError('Failed to fetch');
      return response;
    },
  });
  await fetch(URL_OF_ORDERS, {
    method: 'POST',
    body: '{"item":"tea"}',
    holdfast: { outbox: { id: 'order-1' } },
  });
  await box.flush();
  expect((await box.result('order-1')).status).toBe(201);
  expect(sent).toBe(2);
  expect(await orders(app, '')).toEqual([{ id: 1, item: 'tea' }]);
  await fetch.close();
});
