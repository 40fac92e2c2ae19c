import { StorageError } from '../core/errors.ts';
import type { Sql } from './sql.ts';

/** The tables of a store, in a database that they share with the application's own. */
export interface Tables {
  readonly items: string;
  readonly bodies: string;
}

const VERSION = 1;

/**
 * Makes the tables where there are none.
 *
 * @throws {StorageError} code `storage-newer` where a newer version of the Worker has made them; they stay as they are.
 */
export function prepareTables(sql: Sql, name: string): Tables {
  const version = `"${name}_version"`;
  const items = `"${name}_items"`;
  const bodies = `"${name}_bodies"`;
  sql.exec(`CREATE TABLE IF NOT EXISTS ${version} (version INTEGER NOT NULL)`);
  const [found] = sql.exec(`SELECT version FROM ${version}`).toArray();
  if (found?.version === VERSION) return { items, bodies };
  if (found)
    throw new StorageError(
      `Durable Object: its entries are of version ${found.version}, written by a newer version of this Worker`,
      { code: 'storage-newer', transient: false },
    );
  sql.exec(
    `CREATE TABLE ${items} (key BLOB PRIMARY KEY, grp BLOB, collection BLOB, item TEXT NOT NULL, kind TEXT, size INTEGER)`,
  );
  sql.exec(`CREATE INDEX "${name}_by_group" ON ${items} (grp, key) WHERE grp IS NOT NULL`);
  sql.exec(`CREATE INDEX "${name}_by_collection" ON ${items} (collection, key) WHERE collection IS NOT NULL`);
  sql.exec(
    `CREATE TABLE ${bodies} (key BLOB NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (key, part))`,
  );
  sql.exec(`INSERT INTO ${version} VALUES (?)`, VERSION);
  return { items, bodies };
}
