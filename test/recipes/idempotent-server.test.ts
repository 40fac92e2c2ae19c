import type { AddressInfo } from 'node:net';
import { DatabaseSync } from 'node:sqlite';
import { createFetch, memoryStore, outbox } from 'holdfast';
import { afterEach, describe, expect, test } from 'vitest';
import { expressServer } from '../../docs/recipes/idempotent-server.express.ts';
import { honoServer } from '../../docs/recipes/idempotent-server.hono.ts';

/** Sends a request to a server of its own. */
type Send = (request: Request) => Promise<Response>;

const userOf = (token?: string): string | undefined => token?.replace('Bearer ', '');
const stops: (() => void)[] = [];

afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const servers: Record<string, () => Promise<Send>> = {
  async Hono() {
    const app = honoServer(new DatabaseSync(':memory:'), userOf);
    return async (request) => app.fetch(request);
  },
  async Express() {
    const server = expressServer(new DatabaseSync(':memory:'), userOf).listen(0, '127.0.0.1');
    stops.push(
      () => server.close(),
      () => server.closeAllConnections(),
    );
    await new Promise((done) => server.once('listening', done));
    const { port } = server.address() as AddressInfo;
    return async (request) => {
      const body = request.body && (await request.text());
      const { pathname } = new URL(request.url);
      return fetch(`http://127.0.0.1:${port}${pathname}`, {
        method: request.method,
        headers: request.headers,
        body,
      });
    };
  },
};

const URL_OF_ORDERS = 'https://api.example.com/orders';

const post = (key: string, body: string, user = 'ann') =>
  new Request(URL_OF_ORDERS, {
    method: 'POST',
    headers: { 'idempotency-key': `"${key}"`, authorization: `Bearer ${user}` },
    body,
  });
const TEA = '{"item":"tea"}';
const orders = async (send: Send, user = 'ann') =>
  (await send(new Request(URL_OF_ORDERS, { headers: { authorization: `Bearer ${user}` } }))).json();

describe.each(Object.entries(servers))('%s', (name, start) => {
  test(`${name}: a write that arrives twice is applied once, with the same response twice`, async () => {
    const send = await start();
    const [first, second] = [await send(post('1', TEA)), await send(post('1', TEA))];
    expect([first.status, second.status]).toEqual([201, 201]);
    expect(second.headers.get('content-type')).toContain('application/json');
    expect(await second.text()).toBe(await first.text());
    expect(await orders(send)).toEqual([{ id: 1, item: 'tea' }]);
    expect(await orders(send, 'bob')).toEqual([]);
  });

  test(`${name}: a write that arrives twice at once is applied once`, async () => {
    const send = await start();
    const both = await Promise.all([send(post('1', TEA)), send(post('1', TEA))]);
    expect(both.map(({ status }) => status)).toEqual([201, 201]);
    expect(await orders(send)).toEqual([{ id: 1, item: 'tea' }]);
  });

  test(`${name}: a key with another body is a 422, and the key of another user is another key`, async () => {
    const send = await start();
    await send(post('1', TEA));
    expect((await send(post('1', '{"item":"bread"}'))).status).toBe(422);
    expect((await send(post('1', '{"item":"bread"}', 'bob'))).status).toBe(201);
    expect(await orders(send)).toEqual([{ id: 1, item: 'tea' }]);
  });

  test(`${name}: a write without a key, an item or JSON is a 400 and is not applied`, async () => {
    const send = await start();
    const withoutKey = post('', TEA);
    withoutKey.headers.delete('idempotency-key');
    const replies = [withoutKey, post('1', '{}'), post('2', 'tea'), post('3', '')].map(send);
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([400, 400, 400, 400]);
    expect(await orders(send)).toEqual([]);
  });

  test(`${name}: a request without a valid token is a 401`, async () => {
    const send = await start();
    expect((await send(new Request(URL_OF_ORDERS))).status).toBe(401);
  });

  test(`${name}: a write of an outbox whose first response is lost is applied once`, async () => {
    const send = await start();
    let sent = 0;
    const box = outbox({
      store: memoryStore(),
      authorize: (request) => request.headers.set('authorization', 'Bearer ann'),
    });
    const fetch = createFetch({
      partition: 'public',
      outbox: box,
      async fetch(...request) {
        const response = await send(new Request(...request));
        if (sent++ === 0) throw new TypeError('Failed to fetch');
        return response;
      },
    });
    await fetch(URL_OF_ORDERS, { method: 'POST', body: TEA, holdfast: { outbox: { id: 'order-1' } } });
    await box.flush();
    expect((await box.result('order-1')).status).toBe(201);
    expect(sent).toBe(2);
    expect(await orders(send)).toEqual([{ id: 1, item: 'tea' }]);
    await fetch.close();
  });
});
