export { sqlStore } from 'holdfast/sql';
