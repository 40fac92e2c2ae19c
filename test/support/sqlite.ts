import type { SqlExec, SqlValue } from '../../src/sql.ts';

/** A connection to a SQLite file, by the adapter that the documentation shows. */
export interface Sqlite {
  readonly exec: SqlExec;
  close(): void;
}

interface Prepared {
  all(...values: SqlValue[]): unknown[];
}

interface NodeDatabase {
  prepare(query: string): Prepared;
  close(): void;
}

interface BunDatabase {
  query(query: string): Prepared;
  close(): void;
}

type Load = <T>(name: string) => T;

const { process, navigator } = globalThis as {
  process?: { readonly env: Record<string, string | undefined>; readonly getBuiltinModule?: Load };
  navigator?: { readonly userAgent?: string };
};

/** Absent in browsers; a Worker has the SQLite of its Durable Objects and no other. */
const load = navigator?.userAgent === 'Cloudflare-Workers' ? undefined : process?.getBuiltinModule;

export const hasSqlite = load !== undefined;

/** @param path Of its file. */
export function openSqlite(path: string): Sqlite {
  if (!load) throw new Error('There is no SQLite here');
  if ('Bun' in globalThis) {
    const { Database } = load<{ Database: new (path: string) => BunDatabase }>('bun:sqlite');
    const database = new Database(path);
    const exec: SqlExec = (query, ...values) => database.query(query).all(...values);
    return { exec, close: () => database.close() };
  }
  const { DatabaseSync } = load<{ DatabaseSync: new (path: string) => NodeDatabase }>('node:sqlite');
  const database = new DatabaseSync(path);
  const exec: SqlExec = (query, ...values) => database.prepare(query).all(...values);
  return { exec, close: () => database.close() };
}

let made = 0;

/** A file that is not there yet, in a folder that is removed after the tests. */
export function newFile(): string {
  const folder = process?.env.HOLDFAST_TEST_FOLDER ?? temporaryFolder();
  return `${folder}/sqlite-${++made}.db`;
}

let temporary: string | undefined;

function temporaryFolder(): string {
  const { mkdtempSync } = (load as Load)<typeof import('node:fs')>('node:fs');
  const { tmpdir } = (load as Load)<typeof import('node:os')>('node:os');
  temporary ??= mkdtempSync(`${tmpdir()}/holdfast-sqlite-`);
  return temporary;
}

/** Removes what a runtime without a folder for tests has left. */
export function removeFiles(): void {
  if (temporary === undefined) return;
  (load as Load)<typeof import('node:fs')>('node:fs').rmSync(temporary, { recursive: true, force: true });
  temporary = undefined;
}
