import { createHash } from 'node:crypto';
import type { DatabaseSync } from 'node:sqlite';

const TABLES = `
  CREATE TABLE IF NOT EXISTS orders (id INTEGER PRIMARY KEY, user TEXT NOT NULL, item TEXT NOT NULL);
  CREATE TABLE IF NOT EXISTS writes (
    user TEXT NOT NULL, key TEXT NOT NULL, fingerprint TEXT NOT NULL,
    body TEXT NOT NULL, at INTEGER NOT NULL,
    PRIMARY KEY (user, key)
  )`;

/** Longer than an entry waits in the outbox (`expiresAfter`, 7 days). */
const KEPT_FOR = 30 * 24 * 60 * 60 * 1000;

export interface Reply {
  readonly status: 201 | 400 | 422;
  /** JSON. */
  readonly body: string;
}

/** The orders of each user, in SQLite. Each write is applied once, however often it arrives. */
export function openOrders(database: DatabaseSync) {
  database.exec(TABLES);
  const insertOrder = database.prepare('INSERT INTO orders (user, item) VALUES (?, ?)');
  const list = database.prepare('SELECT id, item FROM orders WHERE user = ?');
  const find = database.prepare('SELECT fingerprint, body FROM writes WHERE user = ? AND key = ?');
  const remember = database.prepare('INSERT INTO writes VALUES (?, ?, ?, ?, ?)');
  const forget = database.prepare('DELETE FROM writes WHERE at < ?');

  return {
    list: (user: string) => list.all(user),

    /**
     * Places an order.
     *
     * @param key The header, as it came: on the wire, a key has quotes.
     * @param text The body, as it came.
     */
    place(user: string, key: string | undefined, text: string): Reply {
      if (!key) return problem(400, 'Idempotency-Key is missing');
      const fingerprint = createHash('sha256').update(`POST /orders\n${text}`).digest('hex');
      return inTransaction(database, () => {
        const known = find.get(user, key);
        if (known && known.fingerprint !== fingerprint) return problem(422, 'This key has another body');
        if (known) return { status: 201, body: String(known.body) };

        const item = itemOf(text);
        if (!item) return problem(400, 'An order needs an item');
        const { lastInsertRowid } = insertOrder.run(user, item);
        const body = JSON.stringify({ id: Number(lastInsertRowid), item });
        remember.run(user, key, fingerprint, body, Date.now());
        forget.run(Date.now() - KEPT_FOR);
        return { status: 201, body };
      });
    },
  };
}

const problem = (status: 400 | 422, title: string): Reply => ({ status, body: JSON.stringify({ title }) });

/** The order and its key are both written, or neither. `IMMEDIATE`: another process waits here. */
function inTransaction<T>(database: DatabaseSync, work: () => T): T {
  database.exec('BEGIN IMMEDIATE');
  try {
    const result = work();
    database.exec('COMMIT');
    return result;
  } catch (error) {
    database.exec('ROLLBACK');
    throw error;
  }
}

function itemOf(text: string): string | undefined {
  try {
    const { item } = JSON.parse(text);
    return typeof item === 'string' ? item : undefined;
  } catch {
    return undefined;
  }
}
