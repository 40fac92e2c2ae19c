export { createFetch, staleCache } from '../../src/index.ts';
