import type { Store, StoredBody } from '../../../core/store.ts';
import type { StoredRequest } from '../../../policies/outbox/queue/entry.ts';
import { deserializeRequest } from '../../../policies/outbox/queue/serialize.ts';
import { decodeStoredBody, type EncodedBody, encodeStoredBody } from '../../../stores/encoding.ts';
import type { OutboxObject } from '../outbox-object.ts';

/** The part of a queue's producer binding that is used. */
export interface QueueProducer {
  /** `v8`: as the structured clone algorithm takes it, and so with bytes; the platform's default is JSON. */
  send(message: unknown, options?: { readonly contentType?: 'v8' }): Promise<unknown>;
}

/** The used part of a `Message`. */
export interface QueueMessage {
  readonly body: unknown;
  /** How often it was given to a consumer, from 1. */
  readonly attempts: number;
  ack(): void;
  retry(options?: { readonly delaySeconds?: number }): void;
}

/** The used part of a `MessageBatch`. */
export interface QueueBatch {
  /** The name of the queue. */
  readonly queue: string;
  readonly messages: readonly QueueMessage[];
}

/** A write that is on its way. */
export interface QueuedWrite {
  readonly id: string;
  /** Sent with each attempt. */
  readonly idempotencyKey: string;
  readonly partition: string;
  /** Wall time in ms. */
  readonly acceptedAt: number;
  readonly request: StoredRequest;
}

/** A write as a message of a queue. */
export interface WriteMessage extends QueuedWrite {
  readonly holdfast: 1;
  /** Its body, or where it lies. */
  readonly body?: EncodedBody | { readonly at: string };
}

/** Where a write goes that the queue cannot deliver. */
export type DeadLetters = (write: QueuedWrite) => Pick<OutboxObject, 'accept'>;

/** A message has 128,000 bytes; this leaves room for the platform's own bytes. */
const MOST = 120_000;

/** Where larger bodies lie. @returns `undefined` where there is no place for this one. */
export async function messageOf(
  write: QueuedWrite,
  body: StoredBody | undefined,
  bodies: Store | undefined,
): Promise<WriteMessage | undefined> {
  const message: WriteMessage = { holdfast: 1, ...write };
  if (body === undefined) return message;
  const { kind, bytes } = await encodeStoredBody(body);
  // In UTF-8 a character has up to three bytes.
  if (JSON.stringify(write).length * 3 + bytes.length <= MOST) return { ...message, body: { kind, bytes } };
  if (!bodies) return undefined;
  const at = `body ${crypto.randomUUID()}`;
  await bodies.write([{ put: { key: at, value: write.id }, body }]);
  return { ...message, body: { at } };
}

/** Of any version. */
export const isWriteMessage = (given: unknown): boolean =>
  typeof (given as Partial<WriteMessage> | null | undefined)?.holdfast === 'number';

/** @returns `undefined` for a foreign message, or one of another version. */
export function readWriteMessage(given: unknown): WriteMessage | undefined {
  const message = given as WriteMessage | null | undefined;
  return message?.holdfast === 1 && typeof message.request?.url === 'string' ? message : undefined;
}

/** The write as it was given. @returns `undefined` where its body is not there (yet). */
export async function deserializeWrite(
  message: WriteMessage,
  keyHeader: string | false,
  bodies: Store | undefined,
): Promise<Request | undefined> {
  const { body } = message;
  if (body === undefined) return deserializeRequest(message, undefined, keyHeader);
  const found = 'at' in body ? await bodies?.body(body.at) : decodeStoredBody(body);
  return found === undefined ? undefined : deserializeRequest(message, found, keyHeader);
}

/** Of a write that has come to its end. */
export async function deleteBody({ body }: WriteMessage, bodies: Store | undefined): Promise<void> {
  if (body && 'at' in body) await bodies?.write([{ delete: body.at }]);
}
