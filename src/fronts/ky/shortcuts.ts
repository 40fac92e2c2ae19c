import { type ResponsePromise, SchemaValidationError } from 'ky';
import { equipped } from '../../core/errors.ts';
import { outcomeOf } from '../../core/outcome.ts';
import { isQueued } from '../../core/source.ts';
import { QueuedError } from './errors.ts';
import type { ClientOptions } from './options.ts';

/**
 * A queued write must not pass for the resource it will become.
 *
 * @param wholeBody Called if the whole body is wanted, before ky sends.
 */
export function answering(
  promise: ResponsePromise,
  settled: () => ClientOptions['outbox'],
  wholeBody: () => void,
): ResponsePromise {
  const shortcuts = promise as unknown as Record<string, (schema?: unknown) => Promise<unknown>>;
  for (const type of ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes']) {
    const native = shortcuts[type];
    if (!native) continue;
    shortcuts[type] = async (schema) => {
      wholeBody();
      // At once: ky sets `Accept` by it before it sends.
      const value = native(schema);
      value.catch(() => {});
      const response = await promise;
      if (!isQueued(response)) return value.catch((error) => refused(error, response));
      const outbox = settled();
      if (typeof outbox === 'object' && 'optimisticResult' in outbox) return outbox.optimisticResult;
      throw new QueuedError(idOf(response));
    };
  }
  return promise;
}

/** A response that the schema refuses is the origin's fault. */
function refused(error: unknown, response: Response): never {
  if (!(error instanceof SchemaValidationError)) throw error;
  throw equipped(error, { code: 'parse', category: 'parse', ...outcomeOf(response) });
}

const idOf = (queued: Response): string => decodeURIComponent(queued.headers.get('holdfast-outbox-id') ?? '');
