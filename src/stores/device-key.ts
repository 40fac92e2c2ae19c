import { get, promisifyRequest, type UseStore } from 'idb-keyval';
import { ofType, readOptions } from '../primitives/validate.ts';
import type { EncryptionKey } from './encryption.ts';
import { openDatabase } from './idb-connection.ts';

const KEYS = 'keys';

/**
 * A key that stays on this device: made at the first use, kept in IndexedDB, and not extractable, so that scripts may use
 * it and not read it.
 *
 * Deleting the database makes what was sealed unreadable for good.
 *
 * @param options.name Of the database. Default `'holdfast-key'`.
 * @returns for `encryptWith`. @throws {StorageError} where there is no IndexedDB.
 */
export function deviceKey(options: { readonly name?: string } = {}): () => Promise<EncryptionKey> {
  const { name } = readOptions(
    'deviceKey',
    options,
    { name: ofType<string>('string') },
    { name: 'holdfast-key' },
  );
  return async () => {
    const connection = openDatabase(name, 1, async (database) => {
      database.createObjectStore(KEYS);
    });
    const keys: UseStore = (mode, use) =>
      connection.transaction([KEYS], mode, undefined, (transaction) => use(transaction.objectStore(KEYS)));
    try {
      const found = await get<CryptoKey>(name, keys);
      if (found) return found;
      const made = await crypto.subtle.generateKey({ name: 'AES-GCM', length: 256 }, false, [
        'encrypt',
        'decrypt',
      ]);
      // Another tab may have made one in between: then both use that one.
      return await keys('readwrite', async (store) => {
        const other = await promisifyRequest<CryptoKey | undefined>(store.get(name));
        if (other) return other;
        await promisifyRequest(store.put(made, name));
        return made;
      });
    } finally {
      await connection.close();
    }
  };
}
