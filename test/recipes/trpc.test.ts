import { createHTTPHandler } from '@trpc/server/adapters/standalone';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { appRouter } from '../../docs/recipes/trpc.router.ts';
import { ordersClient } from '../../docs/recipes/trpc.ts';
import { type Backend, startBackend } from './origin.ts';

let server: Backend;
let client: ReturnType<typeof ordersClient>;

beforeEach(async () => {
  server = await startBackend(createHTTPHandler({ router: appRouter() }));
  client = ordersClient(server.url, () => 'ann');
  expect(await client.save({ id: 'first', item: 'tea' })).toBe('saved');
});
afterEach(async () => {
  await client.box.clear();
  await client.close();
  await server.close();
});

const first = { id: 'first', item: 'tea' };

test('a query has the last good response when the server is gone', async () => {
  expect(await client.trpc.list.query()).toEqual([first]);
  await server.vanish();
  expect(await client.trpc.list.query()).toEqual([first]);
});

test('a query is repeated by one of the two libraries only', async () => {
  server.fail(503);
  await expect(client.trpc.list.query()).rejects.toThrow();
  expect(await server.requests()).toEqual(['POST /add', 'GET /list', 'GET /list', 'GET /list']);
});

test('a mutation waits while the server is gone, and takes effect once', async () => {
  await server.vanish();
  expect(await client.save({ id: 'second', item: 'milk' })).toBe('waiting');
  expect(await client.save({ id: 'second', item: 'milk' })).toBe('waiting');
  await server.heal();
  await client.box.flush();
  const { result } = await (await client.box.result('second')).json();
  expect(result.data).toEqual({ id: 'second', item: 'milk' });
  expect(await client.trpc.list.query()).toEqual([first, { id: 'second', item: 'milk' }]);
  expect(await server.requests()).toEqual(['POST /add', 'GET /list']);
});

test('a mutation that did not ask for it is not kept', async () => {
  await server.vanish();
  await expect(client.trpc.add.mutate({ id: 'third', item: 'rice' })).rejects.toThrow();
  expect(await client.box.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
});

test('what the server refuses is tRPC’s own error', async () => {
  await expect(client.save({ id: 'third', item: '' })).rejects.toThrow('An order needs an item');
});
