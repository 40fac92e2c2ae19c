/** What an application puts together today, for some of the same: repetition, time limits, circuit, queue, cache. */
export { createStore, get, set } from 'idb-keyval';
export { Queue } from 'workbox-background-sync';
export * from './cockatiel.ts';
export * from './ky.ts';
