export { type Unstorage, type UnstorageStoreOptions, unstorageStore } from './stores/unstorage.ts';
