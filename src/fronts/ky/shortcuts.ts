import { type ResponsePromise, SchemaValidationError } from 'ky';
import { equipped } from '../../core/errors.ts';
import { isQueued } from '../../core/source.ts';
import { QueuedError } from './errors.ts';
import type { ClientOptions } from './options.ts';
import type { CallState } from './state.ts';

type Shortcut = (schema?: unknown) => Promise<unknown>;

const TYPES = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const;

/** The body shortcuts say that the whole body is wanted, and do not pass a queued write for the resource it will become. */
export function withShortcuts(promise: ResponsePromise, call: CallState): ResponsePromise {
  const shortcuts = promise as unknown as Record<string, Shortcut>;
  for (const type of TYPES) {
    const native = shortcuts[type];
    if (native) shortcuts[type] = (schema) => read(promise, native, call, schema);
  }
  return promise;
}

function read(
  promise: ResponsePromise,
  native: Shortcut,
  call: CallState,
  schema: unknown,
): Promise<unknown> {
  call.wantsBody = true;
  // At once: ky sets `Accept` by it before it sends.
  const value = native(schema).catch((error) => refused(error, call));
  return call.shared.queues ? unlessQueued(promise, value, call) : value;
}

async function unlessQueued(
  promise: ResponsePromise,
  value: Promise<unknown>,
  { settings }: CallState,
): Promise<unknown> {
  value.catch(() => {});
  const response = await promise;
  if (!isQueued(response)) return value;
  const outbox = settings.policies?.outbox as ClientOptions['outbox'];
  if (typeof outbox === 'object' && 'optimisticResult' in outbox) return outbox.optimisticResult;
  throw new QueuedError(idOf(response));
}

/** A response that the schema refuses is the origin's fault. */
function refused(error: unknown, { outcome }: CallState): never {
  if (!(error instanceof SchemaValidationError)) throw error;
  throw equipped(error, { code: 'parse', category: 'parse', ...outcome });
}

const idOf = (queued: Response): string => decodeURIComponent(queued.headers.get('holdfast-outbox-id') ?? '');
