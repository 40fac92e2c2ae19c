import { wellFormed } from '../../core/check.ts';
import { ConfigurationError } from '../../core/errors.ts';
import { sharedNote } from '../../stores/shared-note.ts';

/** Who is signed in, as the pages and the service worker of an application know it in common. */
export interface SharedSession {
  /** To be given as `partition` in pages and in the worker. @throws {ConfigurationError} where nobody is signed in. */
  readonly partition: () => string;
  /** Settles when it is known who is signed in; the worker waits for it by itself. */
  readonly ready: Promise<void>;
  /** @param partition An id of the user. */
  signIn(partition: string): Promise<void>;
  /** What waits of them is held until they sign in again; see `outbox.clear` for leaving nothing. */
  signOut(): Promise<void>;
  /** Gives back the channel. */
  close(): void;
}

/**
 * Keeps in IndexedDB who is signed in, so that a service worker that is woken with all pages closed sends only what is
 * theirs.
 *
 * @param name Sessions of one name are the same. Default `'holdfast-session'`.
 */
export function sharedSession(name = 'holdfast-session'): SharedSession {
  const note = sharedNote(name, (value): value is string => typeof value === 'string' && value !== '');
  return {
    partition() {
      if (note.value !== undefined) return note.value;
      throw new ConfigurationError('partition', undefined, 'nobody is signed in');
    },
    ready: note.ready,
    async signIn(partition) {
      if (partition === '')
        throw new ConfigurationError('partition', partition, 'expected an id that is not empty');
      await note.set(wellFormed(partition, 'partition'));
    },
    signOut: () => note.set(undefined),
    close: note.close,
  };
}
