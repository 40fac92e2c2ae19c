export { createFetch } from '../../src/index.ts';
