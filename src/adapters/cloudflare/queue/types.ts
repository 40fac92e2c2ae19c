import type { StoredRequest } from '../../../policies/outbox/queue/entry.ts';
import type { Kind } from '../../../stores/encoding.ts';
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
  readonly body?: { readonly kind: Kind; readonly bytes: Uint8Array<ArrayBuffer> } | { readonly at: string };
}

/** Where a write goes that the queue cannot deliver. */
export type DeadLetters = (write: QueuedWrite) => Pick<OutboxObject, 'accept'>;
