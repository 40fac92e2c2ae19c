import type { Call, Handler, PipelineContext } from '../../core/contract.ts';
import type { KeyedQueue, QueuePosition, Semaphore } from '../../primitives/locks.ts';
import type { LruMap } from '../../primitives/lru.ts';
import type { OutboxEvents } from './events.ts';
import type { OutboxSettings } from './options.ts';
import type { Queue } from './queue/queue.ts';
import type { Respect } from './send/backoff.ts';
import type { SendGate } from './send/gate.ts';
import type { StoreHandle } from './store-handle.ts';

/** A write that is not stored yet: its body is still read, for instance. */
export interface ArrivingWrite {
  readonly partition: string;
  /** Its position in its lane. */
  readonly turn: QueuePosition;
  /** The application has removed all of this user: it must not be stored. */
  isRemoved: boolean;
}

/** The components of an outbox that is attached to a pipeline. */
export interface OutboxContext {
  /** Sends: the policies inside the outbox. */
  readonly next: Handler;
  readonly pipeline: PipelineContext;
  readonly settings: OutboxSettings;
  readonly handle: StoreHandle;
  readonly queue: Queue;
  readonly events: OutboxEvents;
  readonly gate: SendGate;
  /** Per origin, so that one that hangs does not block the others. */
  readonly slots: LruMap<Semaphore>;
  /** The attempts of this page that are under way, by the key of their entry. They never reject. */
  readonly attempts: Map<string, Promise<void>>;
  /** The writes that are on their way into the store. */
  readonly arriving: Set<ArrivingWrite>;
  /** The order of calls, by lane. */
  readonly turns: KeyedQueue;
  readonly scheduler: Scheduler;
  /** Called with each call: one of a user that has signed in drains their lanes. */
  notice(call: Call): void;
  /** Drains all lanes in the background. */
  wake(respect: Respect): void;
  /** Registers a Background Sync, in case this page closes. */
  requestSync(): void;
}

/** The scheduler, as the other components use it. */
export interface Scheduler {
  /** Sends the due entries of a lane. Resolves when none is due. */
  drain(partition: string, lane: string, respect?: Respect): Promise<void>;
  /** Whether the application has aborted the sending. */
  isStopped(): boolean;
  /** Drains every lane of the current user, for `flush()`. @param signal Starts no more lanes once it aborts. */
  flush(signal: AbortSignal | undefined, respect: Respect): Promise<void>;
}
