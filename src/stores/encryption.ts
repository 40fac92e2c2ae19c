import { promisifyRequest } from 'idb-keyval';
import { StorageError } from '../core/errors.ts';
import type { Cipher } from '../core/store.ts';
import { ConfigurationError } from '../primitives/failure.ts';
import type { Bytes } from '../primitives/units.ts';
import { ofType, readSettings } from '../primitives/validate.ts';
import { openDatabase } from './indexeddb/connection.ts';

/** The used part of a `CryptoKey`, which not every runtime's types know. */
export interface EncryptionKey {
  readonly algorithm: { readonly name: string };
  readonly usages: readonly string[];
  readonly extractable: boolean;
}

/** NIST SP 800-38D, 8.2.2: 96 random bits, new for every record. */
const IV = 12;

const utf8 = /* @__PURE__ */ new TextEncoder();

/**
 * Encrypts records with AES-GCM (256 or 128 bits), each bound to its key. Not encrypted: how large a record is and when it was
 * used. Keys of records are hashes, which hide a URL unless it can be guessed.
 *
 * It protects the data on the disk, and not against a script that runs in the page.
 *
 * @param key A key, best not extractable, or where to get it, such as `deviceKey()`; asked at the first use, and again
 *   where it failed.
 *
 * @example
 * const key = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']);
 * const queue = outbox({ encryption: encryptWith(key) });
 */
export function encryptWith(
  key: EncryptionKey | ((known?: EncryptionKey) => Promise<EncryptionKey>),
): Cipher {
  if (typeof key !== 'function') checked(key);
  let known: Promise<CryptoKey> | undefined;
  const keyOf = (): Promise<CryptoKey> => {
    known ??= (async () => checked(typeof key === 'function' ? await asked(key) : key))();
    known.catch(() => {
      known = undefined;
    });
    return known;
  };
  return {
    async encrypt(plain, context) {
      const iv = crypto.getRandomValues(new Uint8Array(IV));
      const encrypted = await crypto.subtle.encrypt(algorithm(iv, context), await keyOf(), plain);
      const record = new Uint8Array(IV + encrypted.byteLength);
      record.set(iv);
      record.set(new Uint8Array(encrypted), IV);
      return record;
    },
    async decrypt(encrypted, context) {
      const iv = encrypted.slice(0, IV);
      const key = await keyOf();
      return new Uint8Array(await crypto.subtle.decrypt(algorithm(iv, context), key, encrypted.slice(IV)));
    },
    async hashKey(text) {
      const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', utf8.encode(text)));
      return btoa(String.fromCharCode(...digest))
        .replace(/\+/g, '-')
        .replace(/\//g, '_')
        .replace(/=+$/, '');
    },
    restore() {
      if (typeof key === 'function') known?.then(key).catch(() => {});
    },
  };
}

const algorithm = (iv: Bytes, context: string): AesGcmParams => ({
  name: 'AES-GCM',
  iv,
  additionalData: utf8.encode(context),
});

async function asked(key: () => Promise<EncryptionKey>): Promise<EncryptionKey> {
  try {
    return await key();
  } catch (cause) {
    throw new StorageError(`encryptWith: the key is unavailable: ${cause}`, { cause });
  }
}

function checked(key: EncryptionKey): CryptoKey {
  const { algorithm, usages } = ofType<EncryptionKey>('object')(key, 'encryptWith.key');
  if (algorithm?.name === 'AES-GCM' && usages.includes('encrypt') && usages.includes('decrypt'))
    return key as CryptoKey;
  throw new ConfigurationError(
    'encryptWith.key',
    algorithm?.name ?? key,
    'expected an AES-GCM key that may encrypt and decrypt',
  );
}

const KEYS = 'keys';

/**
 * A key that stays on this device: made at the first use, kept in IndexedDB, and not extractable, so that scripts may use
 * it and not read it.
 *
 * Deleting the database makes encrypted records unreadable for good.
 *
 * @param options.name Of the database. Default `'holdfast-key'`.
 * @returns for `encryptWith`. @throws {StorageError} where there is no IndexedDB.
 *
 * @example
 * const queue = outbox({ encryption: encryptWith(deviceKey()) });
 */
export function deviceKey(
  options: { readonly name?: string } = {},
): (known?: EncryptionKey) => Promise<EncryptionKey> {
  const { name } = readSettings('deviceKey', { name: ['holdfast-key', ofType<string>('string')] }, options);
  return async (known) => {
    const connection = openDatabase(name, 1, (database) => {
      database.createObjectStore(KEYS);
    });
    const read = (transaction: IDBTransaction) =>
      promisifyRequest<CryptoKey | undefined>(transaction.objectStore(KEYS).get(name));
    try {
      const found = await connection.transaction('readonly', 'default', read);
      if (found) return found;
      const made =
        (known as CryptoKey | undefined) ??
        (await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, ['encrypt', 'decrypt']));
      // Another tab may have made one in between: then both use that one.
      // As durable as the records that need it.
      return await connection.transaction('readwrite', 'strict', async (transaction) => {
        const other = await read(transaction);
        if (other) return other;
        const put = promisifyRequest(transaction.objectStore(KEYS).put(made, name));
        await Promise.all([put, promisifyRequest(transaction)]);
        return made;
      });
    } finally {
      await connection.close();
    }
  };
}
