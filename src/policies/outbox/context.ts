import type { PipelineContext } from '../../core/contract.ts';
import type { Enqueuer } from './accept.ts';
import type { Completions } from './completions.ts';
import type { OutboxEvents } from './events.ts';
import type { OutboxSettings } from './options.ts';
import type { Queue } from './queue/queue.ts';
import type { ResultWaiters } from './results.ts';
import type { Respect } from './send/backoff.ts';
import type { LaneScheduler } from './send/scheduler.ts';
import type { StoreHandle } from './store-handle.ts';

/** The components of an outbox that is attached to a pipeline. */
export interface OutboxContext {
  readonly pipeline: PipelineContext;
  readonly settings: OutboxSettings;
  readonly queue: Queue;
  readonly enqueuer: Enqueuer;
  readonly waiters: ResultWaiters;
  readonly events: OutboxEvents;
  readonly completions: Completions;
  readonly scheduler: LaneScheduler;
  readonly storeHandle: StoreHandle;
  /**
   * Runs an operation of the application with a timeout, before the store is closed.
   *
   * @throws {ClosedError} once the pipeline was closed; nothing is started.
   * @throws {StorageError} if the store does not respond.
   */
  ask<T>(work: () => Promise<T>): Promise<T>;
  /** Drains all lanes in the background. */
  wake(respect: Respect): void;
  /** Asks the browser for persistent storage, after the first accepted write. */
  requestPersistence(): void;
  /** Registers a Background Sync, in case this page closes. */
  requestSync(): void;
}
