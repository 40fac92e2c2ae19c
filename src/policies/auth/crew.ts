import type { Handler, PipelineContext } from '../../core/contract.ts';
import { notifyCredentials } from '../../core/credentials.ts';
import { ConfigurationError } from '../../core/errors.ts';
import type { HoldfastEvent } from '../../core/events.ts';

/** Where a call is: what lies below `auth`, and the pipeline. */
export interface Place {
  readonly next: Handler;
  readonly pipeline: PipelineContext;
}

/** The pipelines that share one policy. */
export class Crew {
  readonly #places = new Set<Place>();
  readonly #left: () => void;

  /** @param left Told when the last of them has been closed. */
  constructor(left: () => void = () => {}) {
    this.#left = left;
  }

  enter(place: Place): void {
    this.#places.add(place);
    const leave = (): void => {
      this.#places.delete(place);
      if (this.isEmpty) this.#left();
    };
    place.pipeline.onClose(leave);
  }

  /** Any of them, for what belongs to no call. */
  get place(): Place {
    const [place] = this.#places;
    if (place) return place;
    throw new ConfigurationError('auth', 'this auth', 'it has to be part of a pipeline before it is used');
  }

  get isEmpty(): boolean {
    return this.#places.size === 0;
  }

  emit(event: HoldfastEvent): void {
    for (const { pipeline } of this.#places) pipeline.emit?.(event);
  }

  /** What was refused for want of credentials may go on. */
  notifyCredentials(partition: string): void {
    for (const { pipeline } of this.#places) notifyCredentials(pipeline, partition);
  }
}
