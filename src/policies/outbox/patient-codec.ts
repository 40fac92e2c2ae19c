import { DeadlineError, withDeadline } from '../../core/clock.ts';
import type { Cipher } from '../../core/codec.ts';
import type { Host } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { STORE_PATIENCE } from './options.ts';

/** How long a codec may take, in ms: so long that what is done instead is still in time for who waits for the store. */
const PATIENCE = STORE_PATIENCE / 2;

/** The same while somebody has waited for longer than that, and still has no answer. */
const LITTLE_PATIENCE = PATIENCE / 10;

/** A codec may wait for a database that never answers. @returns one that fails then as one whose key is not to be had. */
export function patientCodec(codec: Cipher, host: Host): Cipher {
  let hanging = 0;
  const timely = async <T>(work: Promise<T>): Promise<T> => {
    const patience = hanging > 0 ? LITTLE_PATIENCE : PATIENCE;
    try {
      return await withDeadline(patience, { host }, work);
    } catch (cause) {
      if (!(cause instanceof DeadlineError)) throw cause;
      hanging++;
      const answered = (): void => void hanging--;
      work.then(answered, answered);
      throw new StorageError(`the codec has not answered in ${patience} ms`, { cause });
    }
  };
  return {
    encrypt: (plain, context) => timely(codec.encrypt(plain, context)),
    decrypt: (sealed, context) => timely(codec.decrypt(sealed, context)),
    hashKey: (text) => timely(codec.hashKey(text)),
  };
}
