export type { Cipher } from './core/store.ts';
export { deviceKey, type EncryptionKey, encryptWith } from './stores/encryption.ts';
