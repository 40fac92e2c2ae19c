export { auth, createFetch } from '../../src/index.ts';
