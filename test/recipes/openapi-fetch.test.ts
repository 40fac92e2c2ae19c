import { afterEach, beforeEach, expect, test } from 'vitest';
import { ordersApi } from '../../docs/recipes/openapi-fetch.ts';
import { type Shop, startShop } from './origin.ts';

let shop: Shop;
let api: ReturnType<typeof ordersApi>;

beforeEach(async () => {
  shop = await startShop();
  api = ordersApi(shop.url, () => 'ann');
  await api.save({ id: 'first', item: 'tea' });
});
afterEach(async () => {
  await api.box.clear();
  await api.close();
  await shop.close();
});

const first = expect.objectContaining({ id: 'first', item: 'tea' });

test('a read outlasts an origin that fails at first, with no more requests than were needed', async () => {
  await shop.behave({ status: 503 }, 2);
  expect(await api.list()).toEqual({ orders: [first], isOld: false });
  expect((await shop.requests()).slice(1)).toEqual(['GET /orders', 'GET /orders', 'GET /orders']);
});

test('without an origin a read is the last good response, and says so', async () => {
  await api.list();
  await shop.vanish();
  expect(await api.list()).toEqual({ orders: [first], isOld: true });
});

test('a write is kept while the origin is gone, and arrives once', async () => {
  await shop.vanish();
  expect(await api.save({ id: 'second', item: 'milk' })).toBe('waiting');
  // A double click.
  expect(await api.save({ id: 'second', item: 'milk' })).toBe('waiting');
  await shop.heal();
  await api.box.flush();
  expect((await api.box.result('second')).status).toBe(201);
  expect((await shop.ledger()).map(({ path, applied }) => [path, applied])).toEqual([
    ['/orders/first', 1],
    ['/orders/second', 1],
  ]);
});

test('what the origin refuses is an error with its words', async () => {
  await expect(api.save({ id: 'third', item: '' })).rejects.toThrow('The order is not valid');
});

test('a caller’s abort comes back as it was given', async () => {
  await shop.behave({ hang: 1 });
  const going = new AbortController();
  const listed = api.list(going.signal);
  await expect.poll(() => shop.requests()).toContain('GET /orders');
  const reason = new Error('the user has gone elsewhere');
  going.abort(reason);
  await expect(listed).rejects.toBe(reason);
});
