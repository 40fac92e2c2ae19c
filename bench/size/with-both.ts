export { createFetch, outbox, staleCache } from 'holdfast';
