import type { DatabaseSync } from 'node:sqlite';
import express from 'express';
import { openOrders } from './idempotent-server.ts';

/** @param userOf The user that a token belongs to; `undefined` if the token is not valid. */
export function expressServer(database: DatabaseSync, userOf: (token?: string) => string | undefined) {
  const orders = openOrders(database);
  const app = express();

  app.use((request, response, next) => {
    response.locals.user = userOf(request.get('authorization'));
    if (response.locals.user === undefined) response.status(401).json({ title: 'Sign in first' });
    else next();
  });
  // The body as text: a repeated write has to have the same one.
  app.use(express.text({ type: () => true }));
  app.get('/orders', (_, response) => {
    response.json(orders.list(response.locals.user));
  });
  app.post('/orders', (request, response) => {
    const key = request.get('idempotency-key');
    const { status, body } = orders.place(response.locals.user, key, request.body ?? '');
    response.status(status).type('json').send(body);
  });
  return app;
}
