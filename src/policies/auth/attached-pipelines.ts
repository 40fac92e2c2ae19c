import type { PipelineContext } from '../../core/contract.ts';
import type { HoldfastEvent } from '../../core/events.ts';
import { notifyCredentials } from '../../core/user.ts';
import { ConfigurationError } from '../../primitives/failure.ts';

/** The pipelines that share one policy. */
export class AttachedPipelines {
  readonly #pipelines = new Set<PipelineContext>();
  readonly #onLastClosed: () => void;

  /** @param onLastClosed Called when the last of them has been closed. */
  constructor(onLastClosed: () => void = () => {}) {
    this.#onLastClosed = onLastClosed;
  }

  add(pipeline: PipelineContext): void {
    this.#pipelines.add(pipeline);
    pipeline.onClose(() => {
      this.#pipelines.delete(pipeline);
      if (this.isEmpty) this.#onLastClosed();
    });
  }

  /** Any of them, for work without a call. */
  get any(): PipelineContext {
    const [pipeline] = this.#pipelines;
    if (pipeline) return pipeline;
    throw new ConfigurationError('auth', 'this auth', 'it has to be part of a pipeline before it is used');
  }

  get isEmpty(): boolean {
    return this.#pipelines.size === 0;
  }

  emit(event: HoldfastEvent): void {
    for (const pipeline of this.#pipelines) pipeline.emit?.(event);
  }

  /** Entries that wait for credentials may go on. */
  notifyCredentials(partition: string): void {
    for (const pipeline of this.#pipelines) notifyCredentials(pipeline, partition);
  }
}
