import type { Handler, PipelineContext } from '../../core/contract.ts';
import { currentPartition, onCredentials } from '../../core/user.ts';
import { KeyedQueue, Semaphore } from '../../primitives/locks.ts';
import { LruMap } from '../../primitives/lru.ts';
import type { OutboxContext } from './context.ts';
import { OutboxEvents } from './events.ts';
import type { OutboxSettings } from './options.ts';
import { withCipherTimeout } from './queue/encryption.ts';
import { Queue } from './queue/queue.ts';
import type { Respect } from './send/backoff.ts';
import { SendGate } from './send/gate.ts';
import { LaneScheduler } from './send/scheduler.ts';
import { backgroundSync, onSignIn, requestPersistence, subscribeTriggers } from './send/triggers.ts';
import { StoreHandle } from './store-handle.ts';

/** Wires the components of the outbox. */
export function createContext(
  next: Handler,
  pipeline: PipelineContext,
  settings: OutboxSettings,
): OutboxContext {
  const { store, encryption } = settings;
  const handle = new StoreHandle(store, pipeline);
  const queue = new Queue(pipeline.name, {
    store: handle.store,
    encryption: encryption && withCipherTimeout(encryption, pipeline.host),
  });
  const events = new OutboxEvents(pipeline, store);
  const gate = new SendGate(pipeline);
  const persist = requestPersistence(pipeline, settings);
  const requestSync = backgroundSync(settings.backgroundSync, pipeline);
  const wake = (respect: Respect): void => {
    scheduler.wake(respect).then(
      (found) => {
        events.recheckAll();
        if (found) requestSync();
      },
      (error) => handle.emitFailed('wake', error),
    );
  };
  const context: Omit<OutboxContext, 'scheduler'> = {
    next,
    pipeline,
    settings,
    handle,
    queue,
    events,
    gate,
    slots: new LruMap(() => new Semaphore(settings.concurrency)),
    attempts: new Map(),
    arriving: new Set(),
    turns: new KeyedQueue(),
    notice: onSignIn(pipeline, wake),
    wake,
    requestSync,
  };
  const scheduler = new LaneScheduler(context as OutboxContext);

  const resumed = (partition: string, lane?: string): void => {
    gate.changed();
    if (lane === undefined) gate.resume(partition);
    if (currentPartition(pipeline) !== partition) return;
    if (lane === undefined) wake('retry-after');
    else void scheduler.drain(partition, lane, 'retry-after');
  };
  events.watch(({ event, partition, key = '', remote }) => {
    const isOfOtherTab = remote && currentPartition(pipeline) === partition;
    switch (event.type) {
      case 'finished':
        // A dead letter may stop its lane, a removed one release it.
        if (event.outcome !== 'delivered') gate.changed();
        return scheduler.ended(key);
      case 'outbox-paused':
        return gate.changed();
      case 'replayed':
        gate.changed();
        return isOfOtherTab && scheduler.armFailover(partition, event.lane);
      case 'outbox-auth-required':
        return gate.pause(partition);
      case 'outbox-resumed':
        return resumed(partition, event.lane);
      case 'queued':
        if (!remote) persist();
        return isOfOtherTab && scheduler.armFailover(partition, event.lane);
      case 'postponed':
        return isOfOtherTab && scheduler.armFailover(partition, event.lane, event.at);
      case 'sending':
        // The other tab has the lane now: waits for its lock.
        return isOfOtherTab && scheduler.drain(partition, event.lane);
    }
  });

  const unfollow = store.onVanished?.(() => {
    // Else no later page could read what this one accepts from now on.
    encryption?.restore?.();
    pipeline.emit({ type: 'storage-vanished', store: store.name });
  });
  if (unfollow) pipeline.onClose(unfollow);

  // Entries that wait for credentials go on when `auth` has new ones.
  onCredentials(pipeline, (partition) => {
    if (gate.isPaused(partition)) events.emitOf(partition, { type: 'outbox-resumed' });
    else resumed(partition);
  });

  // If I/O belongs to one request, there are no timers between requests.
  if (pipeline.host.canShareIO)
    // Don't read when the page is hidden: WebKit keeps a page with open reads in its cache, and with it the locks.
    subscribeTriggers(pipeline, settings.pollInterval, wake, () => scheduler.isBusy && requestSync());
  pipeline.onClose(() => handle.release());
  return Object.assign(context, { scheduler });
}
