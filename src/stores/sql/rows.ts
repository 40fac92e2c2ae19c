import { StorageError } from '../../core/errors.ts';
import {
  type Change,
  type Item,
  type ItemWithBody,
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
import type { Row, SqlConnection, SqlValue, Tables } from './connection.ts';

/** Bytes of a body in one row; a row of a Durable Object has 2 MB at the most. */
const PIECE = 1_000_000;

/** Bytes of a row without its body. */
const LARGEST = 1_900_000;

const utf8 = new TextEncoder();

/** A database with its tables. */
export interface Opened {
  readonly sql: SqlConnection;
  readonly tables: Tables;
  readonly rows: SqlRows;
}

/** Reads and writes entries in tables. */
export class SqlRows {
  readonly #sql: SqlConnection;
  readonly #tables: Tables;

  constructor(sql: SqlConnection, tables: Tables) {
    this.#sql = sql;
    this.#tables = tables;
  }

  item(key: string): Item | undefined {
    const [row] = this.#sql.rows(`SELECT item FROM ${this.#tables.items} WHERE key = ?`, orderedBytes(key));
    return row && itemOf(row);
  }

  /** @returns `undefined` also where a part of it is missing. */
  body(key: string): StoredBody | undefined {
    const { items, bodies } = this.#tables;
    const [row] = this.#sql.rows(`SELECT id, kind, size FROM ${items} WHERE key = ?`, orderedBytes(key));
    if (typeof row?.kind !== 'string') return undefined;
    const parts = this.#sql.rows(
      `SELECT bytes FROM ${bodies} WHERE item = ? ORDER BY part`,
      row.id as SqlValue,
    );
    const bytes = joined(parts.map((part) => new Uint8Array(part.bytes as Uint8Array)));
    const kind = JSON.parse(row.kind) as Kind;
    return bytes.length === Number(row.size) ? decodeStoredBody({ bytes, kind }) : undefined;
  }

  range({ prefix = '', after, limit = Infinity, ...of }: RangeQuery): Item[] {
    const isAfter = after !== undefined && after >= prefix;
    const listing = listingOf(of);
    const where = [
      ...(listing ? [`${listing.column} = ?`] : []),
      `key ${isAfter ? '>' : '>='} ?`,
      'key <= ?',
    ];
    return this.#sql
      .rows(
        `SELECT item FROM ${this.#tables.items} WHERE ${where.join(' AND ')} ORDER BY key LIMIT ?`,
        ...(listing ? [listing.name] : []),
        orderedBytes(isAfter ? after : prefix),
        orderedBytes(prefixEnd(prefix)),
        limit === Infinity ? -1 : limit,
      )
      .map(itemOf);
  }

  rangeWithBodies(query: RangeQuery, pick: (found: Item[]) => Item[]): ItemWithBody[] {
    return pick(this.range(query)).map((item) => ({ ...item, body: this.body(item.key) }));
  }

  /** Jumps from group to group without reading their items. */
  groups(prefix: string, limit = Infinity): string[] {
    const found: string[] = [];
    const end = orderedBytes(prefixEnd(prefix));
    for (let from = prefix, how = '>='; found.length < limit; how = '>') {
      const [row] = this.#sql.rows(
        `SELECT item FROM ${this.#tables.items} WHERE grp ${how} ? AND grp <= ? ORDER BY grp LIMIT 1`,
        orderedBytes(from),
        end,
      );
      if (!row) break;
      from = itemOf(row).group as string;
      found.push(from);
    }
    return found;
  }

  count(of: Pick<RangeQuery, 'group' | 'collection'>): number {
    const { column, name } = listingOf(of) as Listing;
    const query = `SELECT COUNT(*) AS count FROM ${this.#tables.items} WHERE ${column} = ?`;
    return Number(this.#sql.rows(query, name)[0]?.count);
  }

  /** @param encoded The bytes of a body. */
  apply(changes: Iterable<Change>, encoded: (body: StoredBody) => EncodedBody): void {
    for (const change of changes) {
      if ('delete' in change) {
        this.#delete(change.delete);
        continue;
      }
      const { put, body, isNew = false } = change;
      this.#put(put, body === null || body === undefined ? body : encoded(body), isNew);
    }
  }

  #delete(key: string): void {
    const { items } = this.#tables;
    const [row] = this.#sql.rows(`DELETE FROM ${items} WHERE key = ? RETURNING id, kind`, orderedBytes(key));
    if (row && row.kind !== null) this.#deleteBody(row.id as SqlValue);
  }

  #put(item: Item, body: EncodedBody | null | undefined, isNew: boolean): void {
    const { items, bodies } = this.#tables;
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
    const [stored] = this.#sql.rows(
      `INSERT INTO ${items} (${names.join(', ')}) VALUES (${names.map(() => '?').join(', ')})
        ON CONFLICT (key) DO UPDATE SET ${names.map((name) => `${name} = excluded.${name}`).join(', ')} RETURNING id`,
      ...Object.values<SqlValue>(row),
    );
    if (body === undefined) return;
    const id = stored?.id as SqlValue;
    if (!isNew) this.#deleteBody(id);
    for (const [part, bytes] of body ? pieces(body.bytes, PIECE).entries() : [])
      this.#sql.rows(`INSERT INTO ${bodies} (item, part, bytes) VALUES (?, ?, ?)`, id, part, bytes);
  }

  #deleteBody(id: SqlValue): void {
    this.#sql.rows(`DELETE FROM ${this.#tables.bodies} WHERE item = ?`, id);
  }
}

interface Listing {
  readonly column: string;
  readonly name: Uint8Array<ArrayBuffer>;
}

function listingOf({ group, collection }: Pick<RangeQuery, 'group' | 'collection'>): Listing | undefined {
  if (group !== undefined) return { column: 'grp', name: orderedBytes(group) };
  return collection === undefined ? undefined : { column: 'collection', name: orderedBytes(collection) };
}

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
