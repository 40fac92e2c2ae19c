import type { DatabaseSync } from 'node:sqlite';
import { Hono } from 'hono';
import { openOrders } from './idempotent-server.ts';

/** @param userOf The user that a token belongs to; `undefined` if the token is not valid. */
export function honoServer(database: DatabaseSync, userOf: (token?: string) => string | undefined) {
  const orders = openOrders(database);
  const app = new Hono<{ Variables: { user: string } }>();

  app.use(async (c, next) => {
    const user = userOf(c.req.header('authorization'));
    if (user === undefined) return c.json({ title: 'Sign in first' }, 401);
    c.set('user', user);
    await next();
  });
  app.get('/orders', (c) => c.json(orders.list(c.get('user'))));
  app.post('/orders', async (c) => {
    const { status, body } = orders.place(c.get('user'), c.req.header('idempotency-key'), await c.req.text());
    return c.body(body, status, { 'content-type': 'application/json' });
  });
  return app;
}
