export { createClient, outbox, staleCache } from '../../src/index.ts';
