import type { Sql, SqlDurableObjectStorage } from '../../src/cloudflare.ts';

/** Bytes of a row in a Durable Object. The local runtime takes more. */
const ROW = 2_000_000;

export interface StorageFaults {
  /** Called with every statement; if it throws, the statement fails. */
  readonly exec?: (query: string) => void;
  readonly sync?: () => Promise<void>;
}

/** The storage of a Durable Object, with the limits of a deployment and with faults on command. */
export function faultyStorage(
  inner: SqlDurableObjectStorage,
  faults: StorageFaults = {},
): SqlDurableObjectStorage {
  const sql: Sql = {
    exec(query, ...bindings) {
      faults.exec?.(query);
      const bytes = bindings.reduce<number>((sum, value) => sum + weightOf(value), 0);
      if (bytes > ROW) throw new Error('string or blob too big: SQLITE_TOOBIG');
      if (bindings.length > 100) throw new Error('too many SQL variables at offset 0: SQLITE_ERROR');
      return inner.sql.exec(query, ...bindings);
    },
  };
  return {
    sql,
    transactionSync: (run) => inner.transactionSync(run),
    async sync() {
      await faults.sync?.();
      await inner.sync();
    },
  };
}

const weightOf = (value: unknown): number =>
  typeof value === 'string'
    ? new TextEncoder().encode(value).length
    : value instanceof Uint8Array
      ? value.length
      : 8;
