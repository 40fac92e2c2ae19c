export { createFetch, outbox, staleCache } from '../../src/index.ts';
