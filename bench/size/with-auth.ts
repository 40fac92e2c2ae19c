export { auth, createFetch } from 'holdfast';
