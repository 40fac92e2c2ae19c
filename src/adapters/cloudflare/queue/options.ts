import type { FetchOptions } from '../../../client/standard.ts';
import type { Host } from '../../../core/contract.ts';
import type { HoldfastFetch } from '../../../core/pipeline.ts';
import { type Store, storeRule } from '../../../core/store.ts';
import { ConfigurationError } from '../../../primitives/failure.ts';
import type { Size } from '../../../primitives/units.ts';
import {
  headerName,
  list,
  ofType,
  type Rule,
  readOptions,
  size,
  wellFormedString,
  withMethods,
} from '../../../primitives/validate.ts';
import type { DeadLetters, QueuedWrite, QueueProducer } from './types.ts';

export interface OutboxQueueOptions {
  /** The binding of the queue. */
  readonly queue: QueueProducer;
  /** What writes are sent with, such as `createFetch()`; its outbox, if it has one, has no part in it. */
  readonly fetch: HoldfastFetch<FetchOptions>;
  /** The object that takes what the queue cannot deliver: there it is sent once more, and waits as a dead letter. */
  readonly deadLetters: DeadLetters;
  /** The name of the queue's dead-letter queue, where this Worker consumes that one as well: all of it goes to `deadLetters`. */
  readonly deadLetterQueue?: string;
  /** Where bodies lie that are too large for a message (128 kB). Default: nowhere, and they are refused. */
  readonly bodies?: Store;
  /** Bytes of one body. Default 5 MB. */
  readonly maxEntryBytes?: Size;
  /** The header that carries the key; `false` for none. Default `'Idempotency-Key'`. */
  readonly idempotencyHeader?: string | false;
  /** Headers that are kept besides the few that are safe. */
  readonly persistHeaders?: readonly string[];
  /** Puts back, at each sending, what is not kept: sets the request's headers, or gives another request. */
  readonly authorize?: (
    request: Request,
    write: QueuedWrite,
    // biome-ignore lint/suspicious/noConfusingVoidType: a hook that only sets headers returns nothing
  ) => Request | undefined | void | Promise<Request | undefined | void>;
  /** Clock and chance, for tests. */
  readonly host?: Partial<Host>;
}

export type QueueSettings = Required<
  Omit<OutboxQueueOptions, 'bodies' | 'authorize' | 'deadLetterQueue' | 'host' | 'maxEntryBytes'>
> &
  Pick<OutboxQueueOptions, 'bodies' | 'authorize' | 'deadLetterQueue'> & {
    readonly maxEntryBytes: number;
    readonly host: Partial<Host>;
  };

const functionRule: Rule<never> = ofType('function');

export function readQueueOptions(options: OutboxQueueOptions): QueueSettings {
  const read = readOptions<QueueSettings>(
    'outboxQueue',
    options,
    {
      queue: withMethods<QueueProducer>('the binding of a queue', 'send'),
      fetch: functionRule,
      deadLetters: functionRule,
      deadLetterQueue: wellFormedString,
      bodies: storeRule,
      maxEntryBytes: size,
      idempotencyHeader: (value, option) => (value === false ? false : headerName(value, option)),
      persistHeaders: list(headerName),
      authorize: functionRule,
      host: ofType('object'),
    },
    { maxEntryBytes: 5_000_000, idempotencyHeader: 'Idempotency-Key', persistHeaders: [], host: {} } as never,
  );
  for (const name of ['queue', 'fetch', 'deadLetters'] as const)
    if (read[name] === undefined)
      throw new ConfigurationError(`outboxQueue.${name}`, undefined, EXPECTED[name]);
  return read;
}

const EXPECTED = {
  queue: 'expected the binding of a queue',
  fetch: 'expected what createFetch() gives',
  deadLetters: 'expected a function that gives the stub of an outboxObject',
} as const;

/** What is said of a write. @throws {ConfigurationError} also where there is no write. */
export function readWrite(request: Request, of: object): { id: string; partition: string } {
  if (!(request instanceof Request))
    throw new ConfigurationError('outboxQueue.accept.request', request, 'expected a Request');
  return readOptions<{ id: string; partition: string }>(
    'outboxQueue.accept',
    of,
    { id: wellFormedString, partition: wellFormedString },
    { id: crypto.randomUUID(), partition: '' },
  );
}
