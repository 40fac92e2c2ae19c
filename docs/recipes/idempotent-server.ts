import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';
import { Hono } from 'hono';

const TABLES = `
  CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, user TEXT NOT NULL, item TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS writes (
    key TEXT NOT NULL, user TEXT NOT NULL, fingerprint TEXT NOT NULL,
    status INTEGER NOT NULL, body TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (user, key)
  )`;

/** An API that applies each write once, however often it arrives. @param userOf The user that a request belongs to. */
export function ordersServer(database: DatabaseSync, userOf: (request: Request) => string) {
  database.exec(TABLES);
  const app = new Hono();

  app.get('/orders', (c) =>
    c.json(database.prepare('SELECT id, item FROM orders WHERE user = ?').all(userOf(c.req.raw))),
  );

  app.post('/orders', async (c) => {
    // On the wire the key has quotes: Idempotency-Key: "b325…". It is a string of RFC 9651.
    const key = c.req.header('idempotency-key');
    if (!key) return c.json({ title: 'Idempotency-Key is missing' }, 400);
    const user = userOf(c.req.raw);
    const text = await c.req.text();
    const fingerprint = createHash('sha256').update(`POST /orders\n${text}`).digest('hex');

    const known = database.prepare('SELECT * FROM writes WHERE user = ? AND key = ?').get(user, key);
    if (known && known.fingerprint !== fingerprint)
      return c.json({ title: 'This key has another body' }, 422);
    if (known) return c.body(String(known.body), Number(known.status) as 201, JSON_TYPE);

    const { item } = JSON.parse(text) as { item?: string };
    if (!item) return c.json({ title: 'An order needs an item' }, 400);

    // One transaction: the order and its key are both written, or neither.
    database.exec('BEGIN IMMEDIATE');
    try {
      const { lastInsertRowid } = database
        .prepare('INSERT INTO orders (user, item) VALUES (?, ?)')
        .run(user, item);
      const body = JSON.stringify({ id: Number(lastInsertRowid), item });
      database
        .prepare('INSERT INTO writes VALUES (?, ?, ?, ?, ?, ?)')
        .run(key, user, fingerprint, 201, body, Date.now());
      database.exec('COMMIT');
      return c.body(body, 201, JSON_TYPE);
    } catch (error) {
      database.exec('ROLLBACK');
      throw error;
    }
  });
  return app;
}

const JSON_TYPE = { 'content-type': 'application/json' };
