import { StorageError } from '../core/errors.ts';
import { isFailure } from '../primitives/failure.ts';

/**
 * Gives what a platform's storage throws the name of the platform and of the operation.
 *
 * @param causeOf What callers look for in place of the platform's own error.
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
