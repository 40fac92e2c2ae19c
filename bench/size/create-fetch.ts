export { createFetch } from 'holdfast';
