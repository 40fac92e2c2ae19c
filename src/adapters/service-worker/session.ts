import { ConfigurationError } from '../../primitives/failure.ts';
import { wellFormedString } from '../../primitives/validate.ts';
import { sharedValue } from '../../stores/shared-value.ts';

/** The signed-in user, shared by the pages and the service worker of an application. */
export interface SharedSession {
  /** To be given as `partition` in pages and in the worker. `undefined` before `ready`, and if no user is signed in. */
  readonly partition: () => string | undefined;
  /** Settles when `partition` is known; the worker waits for it by itself. */
  readonly ready: Promise<void>;
  /** @param partition An id of the user. */
  signIn(partition: string): Promise<void>;
  /** The user's entries wait until the next sign-in; see `outbox.clear` for leaving nothing. */
  signOut(): Promise<void>;
  /**
   * Calls `listener` with the new partition, also after a sign-out in another tab.
   *
   * @returns ends the subscription.
   */
  subscribe(listener: (partition: string | undefined) => void): () => void;
  /** Closes the channel. */
  close(): void;
}

/**
 * Stores the signed-in user in IndexedDB, so that a service worker that wakes with all pages closed sends only the entries
 * of that user.
 *
 * @param name Sessions of one name are the same. Default `'holdfast-session'`.
 *
 * @example
 * const signedIn = sharedSession();
 * const fetch = createFetch({ partition: signedIn.partition, outbox: outbox() });
 * await signedIn.signIn(user.id);
 */
export function sharedSession(name = 'holdfast-session'): SharedSession {
  const note = sharedValue(name, (value): value is string => typeof value === 'string' && value !== '');
  return {
    partition: () => note.value,
    ready: note.ready,
    async signIn(partition) {
      if (partition === '')
        throw new ConfigurationError('partition', partition, 'expected an id that is not empty');
      await note.set(wellFormedString(partition, 'partition'));
    },
    signOut: () => note.set(undefined),
    subscribe: note.subscribe,
    close: note.close,
  };
}
