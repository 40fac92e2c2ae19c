import type { Handler, PipelineContext } from '../../core/contract.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import { notifyCredentials } from '../../core/user.ts';
import { ConfigurationError } from '../../primitives/failure.ts';

/** A pipeline, and the handler inside `auth`. */
export interface Attachment {
  readonly next: Handler;
  readonly pipeline: PipelineContext;
}

/** The pipelines that share one policy. */
export class AttachedPipelines {
  readonly #attachments = new Set<Attachment>();
  readonly #onLastClosed: () => void;

  /** @param onLastClosed Called when the last of them has been closed. */
  constructor(left: () => void = () => {}) {
    this.#onLastClosed = left;
  }

  attach(attachment: Attachment): void {
    this.#attachments.add(attachment);
    const leave = (): void => {
      this.#attachments.delete(attachment);
      if (this.isEmpty) this.#onLastClosed();
    };
    attachment.pipeline.onClose(leave);
  }

  /** Any of them, for work without a call. */
  get attachment(): Attachment {
    const [attachment] = this.#attachments;
    if (attachment) return attachment;
    throw new ConfigurationError('auth', 'this auth', 'it has to be part of a pipeline before it is used');
  }

  get isEmpty(): boolean {
    return this.#attachments.size === 0;
  }

  emit(event: HoldfastEvent): void {
    for (const { pipeline } of this.#attachments) pipeline.emit?.(event);
  }

  /** Entries that wait for credentials may go on. */
  notifyCredentials(partition: string): void {
    for (const { pipeline } of this.#attachments) notifyCredentials(pipeline, partition);
  }
}
