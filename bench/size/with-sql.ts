export { sqlStore } from '../../src/sql.ts';
