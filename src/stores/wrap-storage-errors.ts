import { StorageError } from '../core/errors.ts';
import { isFailure } from '../primitives/failure.ts';

/** Gives what a platform's storage throws the name of the platform and of the operation. */
export const explainedBy =
  (platform: string) =>
  async <T>(operation: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (cause) {
      if (isFailure(cause)) throw cause;
      const message = messageOf(cause);
      throw new StorageError(`${platform}: ${operation} failed: ${message}`, {
        // Callers that can make room look for this.
        cause: /SQLITE_FULL|database or disk is full/.test(message)
          ? new DOMException(message, 'QuotaExceededError')
          : cause,
      });
    }
  };

const messageOf = (cause: unknown): string => (cause instanceof Error ? cause.message : `${cause}`);
