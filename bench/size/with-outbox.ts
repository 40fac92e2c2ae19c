export { createFetch, outbox } from 'holdfast';
