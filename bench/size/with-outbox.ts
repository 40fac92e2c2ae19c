export { createFetch, outbox } from '../../src/index.ts';
