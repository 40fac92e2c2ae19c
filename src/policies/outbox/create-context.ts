import type { Handler, PipelineContext } from '../../core/contract.ts';
import type { OutboxEvent } from '../../core/events.ts';
import type { AtomicStore } from '../../core/store.ts';
import { currentPartition, onCredentials } from '../../core/user.ts';
import { withDeadline } from '../../primitives/clock.ts';
import { Enqueuer } from './accept.ts';
import { Completions, type FinalState } from './completions.ts';
import type { OutboxContext } from './context.ts';
import { OutboxEvents } from './events.ts';
import { type OutboxSettings, STORE_TIMEOUT } from './options.ts';
import { withCipherTimeout } from './queue/encryption.ts';
import type { OutboxEntry } from './queue/entry.ts';
import { Queue } from './queue/queue.ts';
import { ResultWaiters } from './results.ts';
import type { Respect } from './send/backoff.ts';
import { LaneScheduler } from './send/scheduler.ts';
import { backgroundSync, subscribeTriggers } from './send/triggers.ts';
import { emitStoreFailed, persistence, StoreHandle, withStoreTimeout } from './store-handle.ts';

/** Wires the components of the outbox. */
export function createContext(
  next: Handler,
  pipeline: PipelineContext,
  settings: OutboxSettings,
): OutboxContext {
  const { store, encryption } = settings;
  const storeHandle = new StoreHandle(pipeline.host);
  const queue = new Queue(pipeline.name, {
    ...settings,
    store: storeHandle.guard(store),
    encryption: encryption && withCipherTimeout(encryption, pipeline.host),
  });
  const waiters = new ResultWaiters();
  const events = new OutboxEvents(pipeline, store, (event, partition, key) =>
    onRemote(event, partition, key),
  );
  const ended = (entry: OutboxEntry, outcome: FinalState): void => {
    // A dead letter stops its lane, a removed one releases it.
    if (entry.blockLaneOnFailure && outcome !== 'delivered') scheduler.gate.changed();
    scheduler.settled(entry, outcome);
    if (entry.blockLaneOnFailure && outcome === 'removed') void scheduler.drain(entry.partition, entry.lane);
  };
  const completions = new Completions(pipeline, queue, waiters, events, settings, ended);
  const scheduler = new LaneScheduler(next, pipeline, queue, completions, events, settings, storeHandle);
  const enqueuer = new Enqueuer(
    queue,
    settings,
    ({ partition, lane }) => void scheduler.drain(partition, lane),
  );
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    pipeline.signal.throwIfAborted();
    return withStoreTimeout(pipeline, store, storeHandle.track(work()));
  };
  const requestSync = backgroundSync(settings.backgroundSync, pipeline);
  const wake = (respect: Respect): void => {
    scheduler.wake(respect).then(
      (found) => {
        waiters.recheckAll();
        if (found) requestSync();
      },
      (error) => emitStoreFailed(pipeline, store, 'wake', error),
    );
  };

  /** Handles an event of another tab. */
  const onRemote = (event: OutboxEvent, partition: string, key: string | undefined): void => {
    if (event.type === 'settled' && key !== undefined) {
      waiters.notify(key);
      // A dead letter stops its lane, a removed one releases it.
      if (event.outcome !== 'delivered') scheduler.gate.changed();
      scheduler.settled({ key, partition }, event.outcome);
    } else if (event.type === 'replayed' && key !== undefined)
      scheduler.requeued({ key, partition }, event.lane);
    else if (event.type === 'outbox-auth-required') scheduler.gate.pause(partition);
    else if (event.type === 'outbox-paused') scheduler.gate.changed();
    else if (event.type === 'outbox-resumed') {
      scheduler.gate.changed();
      if (event.lane === undefined) scheduler.gate.resume(partition);
      if (currentPartition(pipeline) === partition) wake('retry-after');
    } else if (currentPartition(pipeline) !== partition) return;
    else if (event.type === 'queued') scheduler.armFailover(partition, event.lane);
    else if (event.type === 'postponed') scheduler.armFailover(partition, event.lane, event.at);
    // The other tab has the lane now: wait for its lock.
    else if (event.type === 'sending') void scheduler.drain(partition, event.lane);
  };

  const unfollow = store.onVanished?.(() => pipeline.emit?.({ type: 'storage-vanished', store: store.name }));
  if (unfollow) pipeline.onClose(unfollow);

  // Entries that wait for credentials go on when `auth` has new ones.
  onCredentials(pipeline, (partition) => {
    if (scheduler.gate.isPaused(partition)) events.emit({ type: 'outbox-resumed' }, partition);
    onRemote({ type: 'outbox-resumed' }, partition, undefined);
  });

  // If I/O belongs to one request, there are no timers between requests.
  if (pipeline.host.canShareIO)
    // Don't read when the page is hidden: WebKit keeps a page with open reads in its cache, and with it the locks.
    subscribeTriggers(pipeline, settings.pollInterval, wake, () => scheduler.isBusy && requestSync());
  return {
    pipeline,
    settings,
    queue,
    enqueuer,
    waiters,
    events,
    completions,
    scheduler,
    storeHandle,
    ask,
    wake,
    requestPersistence: persistence(pipeline, store, settings.persist),
    requestSync,
  };
}

/**
 * Closes the store after its last use; a later use would open it again. `close()` waits for that. A store that never responds is
 * closed all the same.
 */
export function releaseStore(store: AtomicStore, pipeline: PipelineContext, storeHandle: StoreHandle): void {
  const close = (): Promise<void> => {
    storeHandle.close();
    return store.close();
  };
  const closed = withDeadline(STORE_TIMEOUT, { host: pipeline.host }, storeHandle.ended()).then(close, close);
  try {
    pipeline.background({ origin: '', partition: '' }).waitUntil(closed);
  } catch {
    // The application's `waitUntil` throws if its event is over.
  }
}
