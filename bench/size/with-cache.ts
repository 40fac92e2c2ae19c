export { createFetch, staleCache } from 'holdfast';
