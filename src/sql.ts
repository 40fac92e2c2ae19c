export type { Lock } from './primitives/locks.ts';
export type { SqlExec, SqlTransaction, SqlValue } from './stores/sql/connection.ts';
export { type SqlStoreOptions, sqlStore } from './stores/sql/sql.ts';
