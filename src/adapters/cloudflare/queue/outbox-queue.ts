import { dropBody } from '../../../core/body/body.ts';
import type { Host } from '../../../core/contract.ts';
import { CapacityError, StorageError } from '../../../core/errors.ts';
import { systemHost } from '../../../core/host.ts';
import { newKey } from '../../../http/idempotency.ts';
import { serializeRequest, withKey } from '../../../policies/outbox/queue/serialize.ts';
import { classifyError, classifyResponse, type SendOutcome } from '../../../policies/outbox/send/outcome.ts';
import { isFailure } from '../../../primitives/failure.ts';
import { forEachConcurrently } from '../../../primitives/locks.ts';
import { digestOf } from '../../../stores/encoding.ts';
import type { AcceptedWrite } from '../outbox-object.ts';
import {
  deleteBody,
  deserializeWrite,
  isWriteMessage,
  messageOf,
  type QueueBatch,
  type QueuedWrite,
  type QueueMessage,
  readWriteMessage,
  type WriteMessage,
} from './message.ts';
import { type OutboxQueueOptions, readQueueOptions, readWrite } from './options.ts';

export interface OutboxQueue {
  /**
   * Gives a write to the queue. When it resolves, the queue has it.
   *
   * @param of.id Of your own, another for each write: its key is made of it, and its dead letter has it. Default: a new one.
   * @param of.partition The user of the write; passed to `deadLetters`. Default `''`.
   * @throws {StorageError} where the queue, or the store for bodies, did not take it.
   * @throws {CapacityError} code `too-large`.
   */
  accept(
    request: Request,
    of?: { readonly id?: string; readonly partition?: string },
  ): Promise<AcceptedWrite>;
  /** For the Worker's `queue` handler: sends the writes of a batch; acknowledges each message, or schedules its next attempt. */
  consume(batch: QueueBatch): Promise<void>;
}

/** A Worker may have six connections open. */
const AT_ONCE = 6;

/** The first wait is up to this, and it doubles; in seconds. */
const FIRST_WAIT = 2;
const LONGEST_WAIT = 900;

/** The longest that a queue lets a message wait, in seconds. */
const LONGEST_DELAY = 43_200;

/** Attempts after a 409: the origin may still process the key of an attempt with a lost response. */
const CONFLICT_TRIES = 3;

/**
 * An outbox over Cloudflare Queues: for many independent writes. Order is not kept, and the response of the origin is
 * dropped: for both there is `outboxObject`, which also takes the writes that the queue cannot deliver.
 *
 * A message may come twice; it is sent under the same `Idempotency-Key` each time.
 *
 * @see https://developers.cloudflare.com/queues/
 *
 * @example
 * import { env } from 'cloudflare:workers';
 *
 * const deadLetters = () => env.ORDERS.getByName('dead');
 * const queue = outboxQueue({ queue: env.ORDERS_QUEUE, fetch: createFetch(), deadLetters });
 * export default {
 *   async fetch(request: Request) {
 *     const { id } = await queue.accept(request);
 *     return Response.json({ id }, { status: 202 });
 *   },
 *   queue: (batch: MessageBatch) => queue.consume(batch),
 * };
 */
export function outboxQueue(options: OutboxQueueOptions): OutboxQueue {
  const settings = readQueueOptions(options);
  const { queue, fetch, deadLetters, deadLetterQueue, bodies, authorize, idempotencyHeader } = settings;
  const host: Host = { ...systemHost, ...settings.host };

  const accept: OutboxQueue['accept'] = async (request, of = {}) => {
    const { id, partition } = readWrite(request, of);
    const content = await serializeRequest(request, settings, { host, signal: request.signal });
    const write: QueuedWrite = {
      id,
      // The same for a caller that repeats what was rejected: the queue may have the first message all the same.
      idempotencyKey: content.key ?? (of.id === undefined ? newKey(host.random) : await keyOf(partition, id)),
      partition,
      acceptedAt: host.clock.now(),
      request: content.request,
    };
    const message = await taken('the store for bodies', () => messageOf(write, content.body, bodies));
    if (!message)
      throw new CapacityError('too-large', 'a message has room for less, and no `bodies` are named', {
        origin: content.origin,
      });
    await taken('the queue', () => queue.send(message, { contentType: 'v8' })).catch(async (error) => {
      await deleteBody(message, bodies).catch(() => {});
      throw error;
    });
    return { id };
  };

  /** @returns how a message goes on; `undefined`: it is done. */
  const deliver = async (message: WriteMessage): Promise<SendOutcome> => {
    const request = await deserializeWrite(message, idempotencyHeader, bodies);
    if (!request) return { is: 'retry', reason: { code: 'body-lost' }, cost: 'none' };
    const asked = new URL(request.url).origin;
    const given = (await authorize?.(request, message)) ?? request;
    const signed = withKey(given, idempotencyHeader, message.idempotencyKey);
    // A response that is not the origin's does not deliver it.
    const holdfast = { retry: false, outbox: false, strategies: false, fallback: false } as const;
    const response = await fetch(signed, { holdfast });
    dropBody(response);
    return classifyResponse(response, asked, host.clock.now());
  };

  /** Passes a write to the object for dead letters, which sends it once more and keeps it after any response. */
  const handOver = async (message: WriteMessage): Promise<void> => {
    const request = await deserializeWrite(message, idempotencyHeader, bodies);
    if (!request) throw new StorageError('the body of a write is not there');
    await deadLetters(message).accept(request, { id: message.id });
  };

  const handle = async (carrier: QueueMessage, isDead: boolean): Promise<void> => {
    const message = readWriteMessage(carrier.body);
    // A foreign message: the platform retries it. A message of another version waits until that version is deployed.
    if (!message) return carrier.retry(isWriteMessage(carrier.body) ? { delaySeconds: LONGEST_WAIT } : {});
    const outcome = isDead
      ? ({ is: 'dead-letter', reason: { code: 'attempts' } } as const)
      : await deliver(message).catch((error) => classifyError(error, host.clock.now()));
    const isInProcess =
      outcome.is === 'conflict' && outcome.reason.status === 409 && carrier.attempts < CONFLICT_TRIES;
    if (outcome.is === 'retry' || isInProcess)
      return carrier.retry({ delaySeconds: delayOf(carrier.attempts, outcome, host) });
    if (outcome.is !== 'ack') await handOver(message);
    carrier.ack();
    // A body that cannot be deleted does no harm.
    await deleteBody(message, bodies).catch(() => {});
  };

  return {
    accept,
    async consume({ queue: name, messages }) {
      const isDead = name === deadLetterQueue;
      await forEachConcurrently(messages, AT_ONCE, (carrier) =>
        handle(carrier, isDead).catch(() =>
          carrier.retry({ delaySeconds: delayOf(carrier.attempts, undefined, host) }),
        ),
      );
    },
  };
}

const keyOf = async (...of: string[]): Promise<string> => `"${await digestOf(JSON.stringify(of))}"`;

/** In whole seconds: backoff with full jitter, or the origin's `Retry-After`. */
function delayOf(attempts: number, outcome: SendOutcome | undefined, { random }: Host): number {
  const growing = Math.min(LONGEST_WAIT, FIRST_WAIT * 2 ** (attempts - 1));
  const asked = outcome?.is === 'retry' && outcome.wait !== undefined ? outcome.wait / 1_000 : undefined;
  const wait = asked === undefined ? random() * growing : asked + random();
  return Math.min(LONGEST_DELAY, Math.ceil(wait));
}

/** Turns errors of the platform's bindings into a `StorageError`. */
async function taken<T>(what: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    if (isFailure(cause)) throw cause;
    throw new StorageError(`${what} did not accept the write: ${cause}`, { cause });
  }
}
