import { StorageError } from '../../core/errors.ts';
import {
  type Change,
  type Item,
  type ListName,
  listingOf,
  prefixEnd,
  type RangeQuery,
  type StoredBody,
} from '../../core/store.ts';
import {
  decodeStoredBody,
  type EncodedBody,
  joined,
  type Kind,
  orderedBytes,
  pieces,
  readText,
  textOf,
} from '../encoding.ts';
import type { Row, SqlConnection, SqlValue } from './connection.ts';

/** Bytes of a body in one row; a row of a Durable Object has 2 MB at the most. */
const PIECE = 1_000_000;

/** Bytes of a row without its body. */
const LARGEST = 1_900_000;

const utf8 = new TextEncoder();

/** Of the tables. */
const VERSION = 1;

export type SqlRows = ReturnType<typeof sqlRows>;

/**
 * Reads and writes entries in tables, in a database that they share with the application's own; creates the tables where
 * there are none.
 *
 * @throws {StorageError} as `checkVersion` does.
 */
export function sqlRows(rows: SqlConnection['rows'], name: string, platform: string) {
  const items = `"${name}_items"`;
  const bodies = `"${name}_bodies"`;
  const version = `"${name}_version"`;

  /** @throws {StorageError} code `storage-newer` if a newer version of the program has changed the tables. */
  const checkVersion = (): void => {
    const found = Number(rows(`SELECT version FROM ${version}`)[0]?.version);
    if (found === VERSION) return;
    throw new StorageError(
      `${platform}: the tables are of version ${found}, written by a newer version of this program`,
      { code: 'storage-newer', transient: false },
    );
  };

  rows(`CREATE TABLE IF NOT EXISTS ${version} (version INTEGER NOT NULL)`);
  if (rows(`SELECT version FROM ${version}`).length > 0) checkVersion();
  else {
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
  }

  const deleteBody = (id: SqlValue): void => {
    rows(`DELETE FROM ${bodies} WHERE item = ?`, id);
  };

  const put = (item: Item, body: EncodedBody | null | undefined, isNew: boolean): void => {
    const row = {
      key: orderedBytes(item.key),
      grp: bytesOf(item.group),
      collection: bytesOf(item.collection),
      item: textOf(item),
      ...(body !== undefined && {
        kind: body ? JSON.stringify(body.kind) : null,
        size: body ? body.bytes.length : null,
      }),
    };
    checkSize(row);
    const names = Object.keys(row);
    const [stored] = rows(
      `INSERT INTO ${items} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})
        ON CONFLICT (key) DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(', ')} RETURNING id`,
      ...Object.values<SqlValue>(row),
    );
    if (body === undefined) return;
    const id = stored?.id as SqlValue;
    if (!isNew) deleteBody(id);
    for (const [part, bytes] of body ? pieces(body.bytes, PIECE).entries() : [])
      rows(`INSERT INTO ${bodies} (item, part, bytes) VALUES (?, ?, ?)`, id, part, bytes);
  };

  return {
    checkVersion,

    item(key: string): Item | undefined {
      const [row] = rows(`SELECT item FROM ${items} WHERE key = ?`, orderedBytes(key));
      return row && itemOf(row);
    },

    /** @returns `undefined` also where a part of it is missing. */
    body(key: string): StoredBody | undefined {
      const [row] = rows(`SELECT id, kind, size FROM ${items} WHERE key = ?`, orderedBytes(key));
      if (typeof row?.kind !== 'string') return undefined;
      const parts = rows(`SELECT bytes FROM ${bodies} WHERE item = ? ORDER BY part`, row.id as SqlValue);
      const bytes = joined(parts.map((part) => new Uint8Array(part.bytes as Uint8Array)));
      const kind = JSON.parse(row.kind) as Kind;
      return bytes.length === Number(row.size) ? decodeStoredBody({ bytes, kind }) : undefined;
    },

    range({ prefix = '', after, limit = Infinity, ...of }: RangeQuery): Item[] {
      const isAfter = after !== undefined && after >= prefix;
      const listing = listingOf(of);
      const where = `${listing ? `${columnOf(listing.by)} = ? AND ` : ''}key ${isAfter ? '>' : '>='} ? AND key <= ?`;
      return rows(
        `SELECT item FROM ${items} WHERE ${where} ORDER BY key LIMIT ?`,
        ...(listing ? [orderedBytes(listing.name)] : []),
        orderedBytes(isAfter ? after : prefix),
        orderedBytes(prefixEnd(prefix)),
        limit === Infinity ? -1 : limit,
      ).map(itemOf);
    },

    /** Jumps from group to group without reading their items. */
    groups(prefix: string, limit = Infinity): string[] {
      const found: string[] = [];
      const end = orderedBytes(prefixEnd(prefix));
      for (let from = prefix, how = '>='; found.length < limit; how = '>') {
        const [row] = rows(
          `SELECT item FROM ${items} WHERE grp ${how} ? AND grp <= ? ORDER BY grp LIMIT 1`,
          orderedBytes(from),
          end,
        );
        if (!row) break;
        from = itemOf(row).group as string;
        found.push(from);
      }
      return found;
    },

    count(of: RangeQuery): number {
      const { by, name } = listingOf(of) as ListName;
      const query = `SELECT COUNT(*) AS count FROM ${items} WHERE ${columnOf(by)} = ?`;
      return Number(rows(query, orderedBytes(name))[0]?.count);
    },

    /** @param encoded The bytes of a body. */
    apply(changes: Iterable<Change>, encoded: (body: StoredBody) => EncodedBody): void {
      for (const change of changes) {
        if ('put' in change) {
          const { body, isNew = false } = change;
          put(change.put, body === null || body === undefined ? body : encoded(body), isNew);
          continue;
        }
        const key = orderedBytes(change.delete);
        const [row] = rows(`DELETE FROM ${items} WHERE key = ? RETURNING id, kind`, key);
        if (row && row.kind !== null) deleteBody(row.id as SqlValue);
      }
    },
  };
}

const columnOf = (by: ListName['by']): string => (by === 'group' ? 'grp' : by);

const bytesOf = (name: string | undefined): Uint8Array<ArrayBuffer> | null =>
  name === undefined ? null : orderedBytes(name);

const itemOf = ({ item }: Row): Item => readText(item as string) as Item;

/** @throws {StorageError} for a row too large for a Durable Object: all databases have the same limits. */
function checkSize(row: Readonly<Record<string, SqlValue>>): void {
  const bytes = Object.values(row).reduce<number>((sum, value) => sum + sizeOf(value), 0);
  if (bytes <= LARGEST) return;
  throw new StorageError(
    `an item of ${bytes} bytes with its keys is more than ${LARGEST}; what is large goes in its body`,
    { transient: false },
  );
}

function sizeOf(value: SqlValue): number {
  if (typeof value === 'string') return utf8.encode(value).length;
  return value instanceof Uint8Array ? value.length : 0;
}
