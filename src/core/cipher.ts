import { type Rule, withMethods } from './check.ts';

/** Encrypts records, so that they cannot be read from the disk. */
export interface Cipher {
  /** @param context The record that the bytes belong to: they cannot be decrypted as another one. */
  encrypt(plain: Uint8Array<ArrayBuffer>, context: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * @throws {StorageError} if the key is unavailable just now: it is tried again.
   * @throws any other error if the bytes were changed, belong to another record, or were encrypted with another key.
   */
  decrypt(encrypted: Uint8Array<ArrayBuffer>, context: string): Promise<Uint8Array<ArrayBuffer>>;
  /** A keyed hash, the same for the same text: for the keys of records. */
  hashKey(text: string): Promise<string>;
}

export const cipherRule: Rule<Cipher> = withMethods(
  'a cipher such as encryptWith(key) makes',
  'encrypt',
  'decrypt',
  'hashKey',
);
