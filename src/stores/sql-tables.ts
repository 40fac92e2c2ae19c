import { StorageError } from '../core/errors.ts';
import type { SqlConnection } from './sql-connection.ts';

/** The tables of a store, in a database that they share with the application's own. */
export interface Tables {
  readonly items: string;
  readonly bodies: string;
  readonly version: string;
}

const VERSION = 1;

/** Creates the tables where there are none. @throws {StorageError} as `checkVersion` does. */
export function createTables(sql: SqlConnection, name: string, platform: string): Tables {
  const { rows } = sql;
  const items = `"${name}_items"`;
  const bodies = `"${name}_bodies"`;
  const version = `"${name}_version"`;
  const tables: Tables = { items, bodies, version };
  rows(`CREATE TABLE IF NOT EXISTS ${version} (version INTEGER NOT NULL)`);
  if (rows(`SELECT version FROM ${version}`).length > 0) {
    checkVersion(sql, tables, platform);
    return tables;
  }
  // Keys are bytes, because SQLite orders text by code points and stores order it by UTF-16 code units.
  rows(
    `CREATE TABLE ${items} (id INTEGER PRIMARY KEY, key BLOB NOT NULL UNIQUE, grp BLOB, collection BLOB, item TEXT NOT NULL, kind TEXT, size INTEGER)`,
  );
  rows(`CREATE INDEX "${name}_by_group" ON ${items} (grp, key) WHERE grp IS NOT NULL`);
  rows(`CREATE INDEX "${name}_by_collection" ON ${items} (collection, key) WHERE collection IS NOT NULL`);
  rows(
    `CREATE TABLE ${bodies} (item INTEGER NOT NULL, part INTEGER NOT NULL, bytes BLOB NOT NULL, PRIMARY KEY (item, part))`,
  );
  rows(`INSERT INTO ${version} VALUES (?)`, VERSION);
  return tables;
}

/** @throws {StorageError} code `storage-newer` if a newer version of the program has changed the tables. */
export function checkVersion({ rows }: SqlConnection, { version }: Tables, platform: string): void {
  const found = Number(rows(`SELECT version FROM ${version}`)[0]?.version);
  if (found === VERSION) return;
  throw new StorageError(
    `${platform}: the tables are of version ${found}, written by a newer version of this program`,
    { code: 'storage-newer', transient: false },
  );
}
