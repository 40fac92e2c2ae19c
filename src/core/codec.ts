import { type Rule, withMethods } from './check.ts';

/** Makes what is stored unreadable for whoever reads the disk. */
export interface Cipher {
  /** @param context What the bytes belong to: they cannot be opened as anything else's. */
  encrypt(plain: Uint8Array<ArrayBuffer>, context: string): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * @throws {StorageError} where the key is not to be had just now: it is tried again.
   * @throws anything else where the bytes were changed, belong to something else, or were sealed with another key.
   */
  decrypt(sealed: Uint8Array<ArrayBuffer>, context: string): Promise<Uint8Array<ArrayBuffer>>;
  /** The same for the same text, and not to be read: for keys of records. */
  hashKey(text: string): Promise<string>;
}

export const cipherRule: Rule<Cipher> = withMethods(
  'a cipher such as encryptWith(key) makes',
  'encrypt',
  'decrypt',
  'hashKey',
);
