import type { PipelineContext } from '../../core/contract.ts';
import type { Acceptance } from './accept.ts';
import type { Answers } from './answers.ts';
import type { Lasting } from './lasting.ts';
import type { News } from './news.ts';
import type { OutboxSettings } from './options.ts';
import type { Outcomes } from './outcomes.ts';
import type { Queue } from './queue.ts';
import type { Waits } from './schedule.ts';
import type { Sender } from './sender.ts';

/** What there is of an outbox once it has its place in a pipeline. */
export interface Parts {
  readonly pipeline: PipelineContext;
  readonly settings: OutboxSettings;
  readonly queue: Queue;
  readonly acceptance: Acceptance;
  readonly answers: Answers;
  readonly news: News;
  readonly outcomes: Outcomes;
  readonly sender: Sender;
  readonly lasting: Lasting;
  /**
   * Does what the application asks for, which has to have ended before the store is given back. Nobody waits for ever.
   *
   * @throws {ClosedError} once the pipeline was closed; nothing is begun then.
   * @throws {StorageError} where the store does not answer.
   */
  ask<T>(work: () => Promise<T>): Promise<T>;
  /** Looks after everything, in the background. */
  wake(waits: Waits): void;
  /** A write was accepted: its entries are worth keeping. */
  askToPersist(): void;
  /** Asks for a service worker to be woken, should this page be gone by then. */
  askForSync(): void;
}
