import { DatabaseSync } from 'node:sqlite';
import type { AlarmStorage } from '../../src/adapters/cloudflare/durable-object.ts';
import type { SqlDurableObjectStorage } from '../../src/cloudflare.ts';

/** The storage of a Durable Object, as Node has it; its alarm comes when a test lets it. */
export interface SqliteObject extends SqlDurableObjectStorage, AlarmStorage {
  /** When the alarm is set for; wall time in ms. */
  alarm: number | null;
}

export function sqliteObject(): SqliteObject {
  const database = new DatabaseSync(':memory:');
  const here: SqliteObject = {
    alarm: null,
    sql: {
      exec: (query, ...bindings) => {
        const rows = database.prepare(query).all(...(bindings as never[]));
        return { toArray: () => rows.map((row) => Object.fromEntries(Object.entries(row).map(asThere))) };
      },
    },
    transactionSync(run) {
      database.exec('BEGIN');
      try {
        const result = run();
        database.exec('COMMIT');
        return result;
      } catch (error) {
        database.exec('ROLLBACK');
        throw error;
      }
    },
    sync: async () => {},
    getAlarm: async () => here.alarm,
    setAlarm: async (at) => {
      here.alarm = at;
    },
    deleteAlarm: async () => {
      here.alarm = null;
    },
  };
  return here;
}

/** SqlStorage returns an ArrayBuffer where node:sqlite returns bytes. */
const asThere = ([name, value]: [string, unknown]): [string, string | number | null | ArrayBuffer] => [
  name,
  value instanceof Uint8Array ? new Uint8Array(value).buffer : (value as string | number | null),
];
