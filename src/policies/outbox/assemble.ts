import { withDeadline } from '../../core/clock.ts';
import type { Handler, PipelineContext } from '../../core/contract.ts';
import { onCredentials } from '../../core/credentials.ts';
import type { OutboxEvent } from '../../core/events.ts';
import { currentPartition } from '../../core/signed-in.ts';
import type { AtomicStore } from '../../core/store.ts';
import { Acceptance } from './accept.ts';
import { Answers } from './answers.ts';
import { backgroundSync } from './background-sync.ts';
import type { OutboxEntry } from './entry.ts';
import { Lasting } from './lasting.ts';
import { News } from './news.ts';
import { type OutboxSettings, STORE_PATIENCE } from './options.ts';
import { type End, Outcomes } from './outcomes.ts';
import type { Parts } from './parts.ts';
import { patientCodec } from './patient-codec.ts';
import { persistence } from './persist.ts';
import { Queue } from './queue.ts';
import type { Waits } from './schedule.ts';
import { Sender } from './sender.ts';
import { whenever } from './triggers.ts';
import { answered, onTrouble } from './trouble.ts';

/** Makes the parts of an outbox, each told of what it has to know of the others. */
export function assemble(next: Handler, pipeline: PipelineContext, settings: OutboxSettings): Parts {
  const { store, encryption } = settings;
  const lasting = new Lasting(pipeline.host);
  const queue = new Queue(pipeline.name, {
    ...settings,
    store: lasting.lent(store),
    encryption: encryption && patientCodec(encryption, pipeline.host),
  });
  const answers = new Answers();
  const news = new News(pipeline, store, (event, partition, key) => heard(event, partition, key));
  const ended = (entry: OutboxEntry, fate: End): void => {
    // It stops its lane, or does so no more.
    if (entry.blockLaneOnFailure && fate !== 'delivered') sender.gate.changed();
    sender.settled(entry, fate);
    if (entry.blockLaneOnFailure && fate === 'removed') void sender.drain(entry.partition, entry.lane);
  };
  const outcomes = new Outcomes(pipeline, queue, answers, news, settings, ended);
  const sender = new Sender(next, pipeline, queue, outcomes, news, settings, lasting);
  const acceptance = new Acceptance(
    queue,
    settings,
    ({ partition, lane }) => void sender.drain(partition, lane),
  );
  const ask = async <T>(work: () => Promise<T>): Promise<T> => {
    pipeline.signal.throwIfAborted();
    return answered(pipeline, store, lasting.add(work()));
  };
  const askForSync = backgroundSync(settings.backgroundSync, pipeline);
  const wake = (waits: Waits): void => {
    sender.wake(waits).then(
      (found) => {
        answers.look();
        if (found) askForSync();
      },
      (error) => onTrouble(pipeline, store, 'wake', error),
    );
  };

  /** What another tab tells. */
  const heard = (event: OutboxEvent, partition: string, key: string | undefined): void => {
    if (event.type === 'settled' && key !== undefined) {
      answers.tell(key);
      // It may have stopped its lane, or have let it go.
      if (event.outcome !== 'delivered') sender.gate.changed();
      sender.settled({ key, partition }, event.outcome);
    } else if (event.type === 'replayed' && key !== undefined) sender.revived({ key, partition }, event.lane);
    else if (event.type === 'outbox-paused') sender.gate.pause(partition);
    else if (event.type === 'outbox-held') sender.gate.changed();
    else if (event.type === 'outbox-resumed') {
      sender.gate.changed();
      if (event.lane === undefined) sender.gate.resume(partition);
      if (currentPartition(pipeline) === partition) wake('asked');
    } else if (currentPartition(pipeline) !== partition) return;
    else if (event.type === 'queued') sender.standBy(partition, event.lane);
    else if (event.type === 'postponed') sender.standBy(partition, event.lane, event.at);
    // Now that it has the lane.
    else if (event.type === 'sending') void sender.drain(partition, event.lane);
  };

  const unfollow = store.onVanished?.(() => pipeline.emit?.({ type: 'storage-vanished', store: store.name }));
  if (unfollow) pipeline.onClose(unfollow);

  // What waits, perhaps because it was refused, goes on when `auth` has new ones.
  onCredentials(pipeline, (partition) => {
    if (sender.gate.isPaused(partition)) news.tell({ type: 'outbox-resumed' }, partition);
    heard({ type: 'outbox-resumed' }, partition, undefined);
  });

  // Where I/O belongs to a request there is nothing to do between requests, and timers are refused.
  if (pipeline.host.canShareIO)
    // Nothing is begun as a page is left: WebKit keeps one that reads from its disk, and with it the lanes that it has.
    whenever(pipeline, settings.pollInterval, wake, () => sender.isBusy && askForSync());
  return {
    pipeline,
    settings,
    queue,
    acceptance,
    answers,
    news,
    outcomes,
    sender,
    lasting,
    ask,
    wake,
    askToPersist: persistence(pipeline, store, settings.persist),
    askForSync,
  };
}

/**
 * A store is closed when nobody uses it any more, or it would be opened again; `close()` waits for that. One that never
 * answers is closed all the same.
 */
export function givenBack(store: AtomicStore, pipeline: PipelineContext, lasting: Lasting): void {
  const close = (): Promise<void> => {
    lasting.end();
    return store.close();
  };
  const closed = withDeadline(STORE_PATIENCE, { host: pipeline.host }, lasting.ended()).then(close, close);
  try {
    pipeline.background({ origin: '', partition: '' }).waitUntil(closed);
  } catch {
    // It is told to the application as well, whose event may be over.
  }
}
