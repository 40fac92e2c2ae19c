import type { Host } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import type { Cipher } from '../../core/store.ts';
import { DeadlineError, withDeadline } from '../../primitives/clock.ts';
import { STORE_TIMEOUT } from './options.ts';

/** How long a cipher may take, in ms: the fallback must still fit into the store's timeout. */
const CIPHER_TIMEOUT = STORE_TIMEOUT / 2;

/** The same while an earlier operation hangs. */
const SHORT_CIPHER_TIMEOUT = CIPHER_TIMEOUT / 10;

/** A cipher may wait for a database that never responds. @returns a cipher that then fails as if its key were unavailable. */
export function withCipherTimeout(cipher: Cipher, host: Host): Cipher {
  let pending = 0;
  const withTimeout = async <T>(work: Promise<T>): Promise<T> => {
    const timeout = pending > 0 ? SHORT_CIPHER_TIMEOUT : CIPHER_TIMEOUT;
    try {
      return await withDeadline(timeout, { host }, work);
    } catch (cause) {
      if (!(cause instanceof DeadlineError)) throw cause;
      pending++;
      const arrived = (): void => void pending--;
      work.then(arrived, arrived);
      throw new StorageError(`the cipher did not respond within ${timeout} ms`, { cause });
    }
  };
  return {
    encrypt: (plain, context) => withTimeout(cipher.encrypt(plain, context)),
    decrypt: (encrypted, context) => withTimeout(cipher.decrypt(encrypted, context)),
    hashKey: (text) => withTimeout(cipher.hashKey(text)),
  };
}
