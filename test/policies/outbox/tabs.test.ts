/** Another tab changes a lane that this one is sending: one store and one channel in common. */
import { afterEach, describe, expect, test } from 'vitest';
import type { PipelineContext } from '../../../src/core/contract.ts';
import { dedupe } from '../../../src/policies/dedupe.ts';
import { OutboxEvents } from '../../../src/policies/outbox/events.ts';
import { readOutboxOptions } from '../../../src/policies/outbox/options.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { Queue } from '../../../src/policies/outbox/queue/queue.ts';
import { remove, requeue } from '../../../src/policies/outbox/queue/transitions.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { ok, slow, status } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, type Page, page, settle, URL_ } from '../../support/outbox-page.ts';
import { giveOffline, sent, startSending } from '../../support/outbox-writes.ts';
import { ORIGIN, scenario } from '../../support/scenario.ts';

/** In Workers a channel reaches no other client. */
const isAlone =
  typeof BroadcastChannel !== 'function' || globalThis.navigator?.userAgent === 'Cloudflare-Workers';

const closing = new Set<AbortController>();
afterEach(() => {
  for (const each of closing) each.abort();
  closing.clear();
});

/** The parts of an outbox that another tab uses. */
function otherTab({ store, host }: Pick<Page, 'store' | 'host'>) {
  const end = new AbortController();
  closing.add(end);
  const pipeline = {
    name: 'default',
    host,
    signal: end.signal,
    onClose: (listener: () => void) => end.signal.addEventListener('abort', listener),
    partition: () => 'ann',
    emit: () => {},
  } as unknown as PipelineContext;
  const queue = new Queue('default', readOutboxOptions({}, store));
  return { queue, events: new OutboxEvents(pipeline, store) };
}

/** Settles when this tab has received that event of the other one. */
const received = ({ outbox }: Pick<Page, 'outbox'>, id: string, type: string): Promise<void> =>
  new Promise((resolve) => {
    const end = outbox.subscribe((event) => {
      if (!event.remote || !('id' in event) || event.id !== id || event.type !== type) return;
      end();
      resolve();
    });
  });

describe.skipIf(isAlone)('changes of another tab', () => {
  test('no read joins one from before a delivery by another tab', async () => {
    const store = durableStore();
    const outbox = outboxPolicy({ store }, memoryStore);
    const scene = scenario([dedupe(), outbox], { partition: 'ann' });
    closeAfterTest(scene.fetch);
    const here = { ...scene, outbox, store };
    const there = otherTab(here);
    scene.origin.replies(
      slow(scene.clock, 60_000, () => ok('old')),
      ok('new'),
    );
    const before = scene.fetch(URL_);
    const arrives = received(here, 'a', 'delivered');
    const entry = { id: 'a', key: 'a', lane: 'a', origin: ORIGIN, partition: 'ann' };
    there.events.emit(entry, { type: 'delivered', status: 200 });
    await arrives;
    expect(await (await scene.fetch(URL_)).text()).toBe('new');
    expect(await (await before).text()).toBe('old');
  });

  test('a waiting write that another tab removes is not sent', async () => {
    const here = page({ concurrency: 1 });
    const there = otherTab(here);
    await giveOffline(here, { body: 'a', lane: 'a' }, { body: 'b', lane: 'b', id: 'b' });
    const first = await startSending(here);
    const arrives = received(here, 'b', 'finished');
    const entry = await there.queue.find('ann', 'b');
    if (!entry) throw new Error('it does not wait');
    expect(await remove(there.queue, entry)).toBe(true);
    there.events.emit(entry, { type: 'finished', outcome: 'removed' });
    await arrives;
    first.resolve(ok());
    await settle();
    expect(sent(here)).toEqual(['a']);
  });

  test('a dead letter that another tab replays does not wait for all entries behind it', async () => {
    const here = page();
    const there = otherTab(here);
    await giveOffline(
      here,
      { body: '1', id: '1' },
      { body: '2', id: '2' },
      { body: '3', id: '3' },
      { body: '4', id: '4' },
    );
    const second = await startSending(here, status(422));
    const arrives = received(here, '1', 'replayed');
    const letter = await there.queue.find('ann', '1');
    if (!letter) throw new Error('it is no dead letter');
    expect(await requeue(there.queue, letter, { attempts: 0 })).toBe(true);
    there.events.emit(letter, { type: 'replayed' });
    await arrives;
    second.resolve(ok());
    await settle();
    expect(sent(here)).toEqual(['1', '2', '1', '3', '4']);
  });
});
