import { StorageError } from '../core/errors.ts';
import { isFailure } from '../primitives/failure.ts';

/**
 * Wraps errors of a platform's storage with the names of the platform and the operation.
 *
 * @param causeOf Replaces the platform's own error by the one that callers look for.
 */
export const explainedBy =
  (platform: string, causeOf = (error: unknown): unknown => error) =>
  async <T>(operation: string, run: () => Promise<T>): Promise<T> => {
    try {
      return await run();
    } catch (error) {
      if (isFailure(error)) throw error;
      // A transaction that the browser gave up has no error at all.
      const reason = `${error ?? 'the transaction was aborted'}`.replace(/^Error: /, '');
      throw new StorageError(`${platform}: ${operation} failed: ${reason}`, {
        cause: causeOf(error),
      });
    }
  };
