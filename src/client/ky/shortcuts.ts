import { type ResponsePromise, SchemaValidationError } from 'ky';
import { TimeoutError } from '../../core/errors.ts';
import { isQueued } from '../../core/outcome.ts';
import { equipped } from '../../primitives/failure.ts';
import type { KyCall } from './call.ts';
import { asKys, QueuedError } from './errors.ts';
import type { ClientOptions } from './options.ts';

type Shortcut = (schema?: unknown) => Promise<unknown>;

const TYPES = ['json', 'text', 'arrayBuffer', 'blob', 'formData', 'bytes'] as const;

/** The body shortcuts say that the whole body is wanted, and do not pass a queued write for the resource it will become. */
export function withShortcuts(promise: ResponsePromise, call: KyCall): ResponsePromise {
  const shortcuts = promise as unknown as Record<string, Shortcut>;
  for (const type of TYPES) {
    const native = shortcuts[type];
    if (native) shortcuts[type] = (schema) => read(promise, native, call, schema);
  }
  return promise;
}

function read(promise: ResponsePromise, native: Shortcut, call: KyCall, schema: unknown): Promise<unknown> {
  call.wantsBody = true;
  if (call.settings.bodyTime !== undefined)
    promise.then(
      (response) => call.limitBody(response),
      () => {},
    );
  // At once: ky sets `Accept` by it before it sends.
  const value = native(schema).catch((error) => unread(error, call));
  return call.shared.queues ? unlessQueued(promise, value, call) : value;
}

async function unlessQueued(
  promise: ResponsePromise,
  value: Promise<unknown>,
  { settings }: KyCall,
): Promise<unknown> {
  value.catch(() => {});
  const response = await promise;
  if (!isQueued(response)) return value;
  const outbox = settings.policies?.outbox as ClientOptions['outbox'];
  if (typeof outbox === 'object' && 'optimisticResult' in outbox) return outbox.optimisticResult;
  throw new QueuedError(idOf(response));
}

/** A time limit becomes ky's error, which passes `beforeError`; a response that the schema refuses is the origin's fault. */
async function unread(error: unknown, call: KyCall): Promise<never> {
  const { outcome, settings, options } = call;
  const request = call.request ?? call.sent;
  if (error instanceof SchemaValidationError)
    throw equipped(error, { code: 'parse', category: 'parse', ...outcome });
  if (!(error instanceof TimeoutError) || !request) throw error;
  let thrown = asKys(error, request);
  for (const hook of settings.hooks.beforeError ?? []) {
    const given = { request, options, error: thrown, retryCount: call.retryCount() };
    const word = await hook(given as never);
    if (word instanceof Error) thrown = word;
  }
  throw thrown;
}

const idOf = (queued: Response): string => decodeURIComponent(queued.headers.get('holdfast-outbox-id') ?? '');
