import { StorageError } from '../core/errors.ts';
import { type Change, endOf, type Item, type RangeQuery, type StoredBody } from '../core/store.ts';
import type { Tables } from './durable-object-tables.ts';
import { orderedBytes } from './ordered-bytes.ts';
import { readText, textOf } from './plain.ts';
import type { Sql } from './sql.ts';
import { joined, type Kind, type Packed, pieces, unpacked } from './stored-body.ts';

/** Bytes of a body in one row; a row has 2 MB at the most. */
const PIECE = 1_000_000;

/** Characters of an item, each of up to three bytes. */
const LONGEST = 600_000;

/** Reads and writes entries in tables. Keys are bytes there, because text is ordered otherwise. */
export class DurableObjectRows {
  readonly #sql: Sql;
  readonly #tables: Tables;

  constructor(sql: Sql, tables: Tables) {
    this.#sql = sql;
    this.#tables = tables;
  }

  item(key: string): Item | undefined {
    const { items } = this.#tables;
    const [row] = this.#sql.exec(`SELECT item FROM ${items} WHERE key = ?`, orderedBytes(key)).toArray();
    return row && itemOf(row);
  }

  /** @returns `undefined` also where a part of it is missing. */
  body(key: string): StoredBody | undefined {
    const { items, bodies } = this.#tables;
    const of = orderedBytes(key);
    const [row] = this.#sql.exec(`SELECT kind, size FROM ${items} WHERE key = ?`, of).toArray();
    if (typeof row?.kind !== 'string') return undefined;
    const parts = this.#sql.exec(`SELECT bytes FROM ${bodies} WHERE key = ? ORDER BY part`, of).toArray();
    const bytes = joined(parts.map((part) => new Uint8Array(part.bytes as ArrayBuffer)));
    return bytes.length === row.size ? unpacked({ bytes, kind: JSON.parse(row.kind) as Kind }) : undefined;
  }

  range({ prefix = '', after, limit, ...of }: RangeQuery): Item[] {
    const isAfter = after !== undefined && after >= prefix;
    const listing = listingOf(of);
    const where = [
      ...(listing ? [`${listing.column} = ?`] : []),
      `key ${isAfter ? '>' : '>='} ?`,
      'key <= ?',
    ];
    return this.#sql
      .exec(
        `SELECT item FROM ${this.#tables.items} WHERE ${where.join(' AND ')} ORDER BY key LIMIT ?`,
        ...(listing ? [listing.name] : []),
        orderedBytes(isAfter ? after : prefix),
        orderedBytes(endOf(prefix)),
        limit === undefined || limit === Infinity ? -1 : limit,
      )
      .toArray()
      .map(itemOf);
  }

  /** Jumps from group to group instead of reading what is in them. */
  groups(prefix: string, limit = Infinity): string[] {
    const found: string[] = [];
    const end = orderedBytes(endOf(prefix));
    for (let from = prefix, how = '>='; found.length < limit; how = '>') {
      const [row] = this.#sql
        .exec(
          `SELECT item FROM ${this.#tables.items} WHERE grp ${how} ? AND grp <= ? ORDER BY grp LIMIT 1`,
          orderedBytes(from),
          end,
        )
        .toArray();
      if (!row) break;
      from = itemOf(row).group as string;
      found.push(from);
    }
    return found;
  }

  count(of: Pick<RangeQuery, 'group' | 'collection'>): number {
    const { column, name } = listingOf(of) as Listing;
    const [row] = this.#sql
      .exec(`SELECT COUNT(*) AS count FROM ${this.#tables.items} WHERE ${column} = ?`, name)
      .toArray();
    return row?.count as number;
  }

  /** @param packed The bytes of a body. */
  apply(changes: readonly Change[], packed: (body: StoredBody) => Packed): void {
    for (const change of changes) {
      if ('delete' in change) {
        this.#delete(orderedBytes(change.delete));
        continue;
      }
      const { put, body } = change;
      this.#put(put, body === null || body === undefined ? body : packed(body));
    }
  }

  #delete(key: Uint8Array): void {
    const { items, bodies } = this.#tables;
    this.#sql.exec(`DELETE FROM ${items} WHERE key = ?`, key);
    this.#sql.exec(`DELETE FROM ${bodies} WHERE key = ?`, key);
  }

  #put(item: Item, body: Packed | null | undefined): void {
    const isNew = body !== undefined;
    const { items, bodies } = this.#tables;
    const key = orderedBytes(item.key);
    const columns = isNew ? ['grp', 'collection', 'item', 'kind', 'size'] : ['grp', 'collection', 'item'];
    this.#sql.exec(
      `INSERT INTO ${items} (key, ${columns.join(', ')}) VALUES (?${', ?'.repeat(columns.length)})
        ON CONFLICT (key) DO UPDATE SET ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`,
      key,
      bytesOf(item.group),
      bytesOf(item.collection),
      written(item),
      ...(isNew ? [body ? JSON.stringify(body.kind) : null, body?.bytes.length ?? null] : []),
    );
    if (!isNew) return;
    this.#sql.exec(`DELETE FROM ${bodies} WHERE key = ?`, key);
    for (const [part, bytes] of body ? pieces(body.bytes, PIECE).entries() : [])
      this.#sql.exec(`INSERT INTO ${bodies} (key, part, bytes) VALUES (?, ?, ?)`, key, part, bytes);
  }
}

interface Listing {
  readonly column: string;
  readonly name: Uint8Array;
}

function listingOf({ group, collection }: Pick<RangeQuery, 'group' | 'collection'>): Listing | undefined {
  if (group !== undefined) return { column: 'grp', name: orderedBytes(group) };
  return collection === undefined ? undefined : { column: 'collection', name: orderedBytes(collection) };
}

const bytesOf = (name: string | undefined): Uint8Array | null =>
  name === undefined ? null : orderedBytes(name);

const itemOf = ({ item }: Record<string, unknown>): Item => readText(item as string) as Item;

function written(item: Item): string {
  const text = textOf(item);
  if (text.length <= LONGEST) return text;
  throw new StorageError(
    `Durable Object: an item of ${text.length} characters is more than ${LONGEST}; what is large goes in its body`,
    { transient: false },
  );
}
