import type { IncomingMessage, ServerResponse } from 'node:http';
import { json } from 'node:stream/consumers';

/** The origin: sign-in, and the orders of each user. A toy: real tokens are random, expire, and need a password. */
export function orderServer() {
  const orders = new Map<string, Map<string, object>>();

  return async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const reply = (status: number, body: unknown) =>
      response
        .writeHead(status, { 'Content-Type': 'application/json', 'Cache-Control': 'private, max-age=0' })
        .end(JSON.stringify(body));
    const [, resource, id] = request.url?.split('/') ?? [];

    if (resource === 'session' && request.method === 'POST') {
      const { user } = (await json(request)) as { user: string };
      return void reply(201, { user, token: `token-of-${user}` });
    }
    const [, user] = /^Bearer token-of-(.+)$/.exec(request.headers.authorization ?? '') ?? [];
    if (user === undefined) return void reply(401, {});
    const own = orders.get(user) ?? new Map<string, object>();
    orders.set(user, own);

    if (resource === 'orders' && id === undefined && request.method === 'GET')
      return void reply(200, [...own.values()]);
    if (resource === 'orders' && id !== undefined && request.method === 'PUT') {
      const order = (await json(request)) as { item?: string };
      if (!order.item) return void reply(422, {});
      own.set(id, { ...order, id });
      return void reply(200, own.get(id));
    }
    reply(404, {});
  };
}
