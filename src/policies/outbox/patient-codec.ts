import { OverdueError, within } from '../../core/clock.ts';
import type { Codec } from '../../core/codec.ts';
import type { Host } from '../../core/contract.ts';
import { StorageError } from '../../core/errors.ts';
import { STORE_PATIENCE } from './options.ts';

/** How long a codec may take, in ms: so long that what is done instead is still in time for who waits for the store. */
const PATIENCE = STORE_PATIENCE / 2;

/** The same while somebody has waited for longer than that, and still has no answer. */
const LITTLE_PATIENCE = PATIENCE / 10;

/** A codec may wait for a database that never answers. @returns one that fails then as one whose key is not to be had. */
export function patientCodec(codec: Codec, host: Host): Codec {
  let hanging = 0;
  const timely = async <T>(work: Promise<T>): Promise<T> => {
    const patience = hanging > 0 ? LITTLE_PATIENCE : PATIENCE;
    try {
      return await within(patience, { host }, work);
    } catch (cause) {
      if (!(cause instanceof OverdueError)) throw cause;
      hanging++;
      const answered = (): void => void hanging--;
      work.then(answered, answered);
      throw new StorageError(`the codec has not answered in ${patience} ms`, { cause });
    }
  };
  return {
    seal: (plain, context) => timely(codec.seal(plain, context)),
    open: (sealed, context) => timely(codec.open(sealed, context)),
    name: (text) => timely(codec.name(text)),
  };
}
