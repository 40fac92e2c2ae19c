import type { FetchOptions } from '../../../client/standard.ts';
import type { Host } from '../../../core/contract.ts';
import type { HoldfastFetch } from '../../../core/pipeline.ts';
import { type Store, storeRule } from '../../../core/store.ts';
import { keptHeader, keyHeader } from '../../../policies/outbox/options.ts';
import { ConfigurationError } from '../../../primitives/failure.ts';
import type { Size } from '../../../primitives/units.ts';
import {
  list,
  ofType,
  readSettings,
  size,
  wellFormedString,
  withMethods,
} from '../../../primitives/validate.ts';
import type { DeadLetters, QueuedWrite, QueueProducer } from './message.ts';

export interface OutboxQueueOptions {
  /** The binding of the queue. */
  readonly queue: QueueProducer;
  /** Sends the writes, such as `createFetch()`; an outbox of it is not used. */
  readonly fetch: HoldfastFetch<FetchOptions>;
  /** The object that takes writes that the queue cannot deliver: it sends them once more and keeps them as dead letters. */
  readonly deadLetters: DeadLetters;
  /** The name of the queue's dead-letter queue, if this Worker consumes it, too: its messages go to `deadLetters`. */
  readonly deadLetterQueue?: string;
  /** Stores bodies too large for a message (128 kB). Default: none; such writes are rejected. */
  readonly bodies?: Store;
  /** Bytes of one body. Default 5 MB. */
  readonly maxEntryBytes?: Size;
  /** The header that carries the key; `false` for none. Default `'Idempotency-Key'`. */
  readonly idempotencyHeader?: string | false;
  /** Headers that are stored besides the few that are safe. */
  readonly persistHeaders?: readonly string[];
  /** Restores, for each attempt, the headers that are not stored: sets the request's headers, or returns another request. */
  readonly authorize?: (
    request: Request,
    write: QueuedWrite,
    // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only sets headers returns nothing
  ) => Request | undefined | void | Promise<Request | undefined | void>;
  /** Clock and chance, for tests. */
  readonly host?: Partial<Host>;
}

export function readQueueOptions(options: OutboxQueueOptions) {
  const settings = readSettings(
    'outboxQueue',
    {
      queue: [undefined as never, withMethods<QueueProducer>('the binding of a queue', 'send')],
      fetch: [undefined as never, ofType<OutboxQueueOptions['fetch']>('function')],
      deadLetters: [undefined as never, ofType<DeadLetters>('function')],
      deadLetterQueue: [undefined, wellFormedString],
      bodies: [undefined, storeRule],
      maxEntryBytes: [5_000_000, size],
      idempotencyHeader: ['Idempotency-Key', keyHeader],
      persistHeaders: [[], list(keptHeader)],
      authorize: [undefined, ofType<OutboxQueueOptions['authorize']>('function')],
      host: [{}, ofType<Partial<Host>>('object')],
    },
    options,
  );
  for (const name of ['queue', 'fetch', 'deadLetters'] as const)
    if (settings[name] === undefined)
      throw new ConfigurationError(`outboxQueue.${name}`, undefined, EXPECTED[name]);
  return settings;
}

const EXPECTED = {
  queue: 'expected the binding of a queue',
  fetch: 'expected what createFetch() gives',
  deadLetters: 'expected a function that gives the stub of an outboxObject',
} as const;

/** Reads the options of a write. @throws {ConfigurationError} also if there is no write. */
export function readWrite(request: Request, of: object) {
  if (!(request instanceof Request))
    throw new ConfigurationError('outboxQueue.accept.request', request, 'expected a Request');
  return readSettings(
    'outboxQueue.accept',
    { id: [crypto.randomUUID(), wellFormedString], partition: ['', wellFormedString] },
    of,
  );
}
