/**
 * An entry that is read, that waits for its turn or for its hook is not sent if that has become
 * wrong.
 */
import { describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/core/contract.ts';
import { pipeline } from '../../../src/core/pipeline.ts';
import { readOutboxOptions } from '../../../src/policies/outbox/options.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { Queue } from '../../../src/policies/outbox/queue/queue.ts';
import { remove } from '../../../src/policies/outbox/queue/transitions.ts';
import { sleep } from '../../../src/primitives/clock.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { ok, status, testHost, virtualClock } from '../../../src/testing.ts';
import { type Deferred, deferred } from '../../support/deferred.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, type Page, POST, page, settle, URL_ } from '../../support/outbox-page.ts';
import { give, giveOffline, pageWith, sent, startSending } from '../../support/outbox-writes.ts';
import { quiet } from '../../support/platform.ts';
import { scenario } from '../../support/scenario.ts';

describe('a write that waits for its turn', () => {
  test('a waiting write that this tab removes is not sent', async () => {
    const here = page({ concurrency: 1 });
    await giveOffline(here, { body: 'a', lane: 'a' }, { body: 'b', lane: 'b', id: 'b' });
    const first = await startSending(here);
    expect(sent(here)).toEqual(['a']);
    expect(await here.outbox.remove('b')).toBe(true);
    first.resolve(ok());
    await settle();
    expect(sent(here)).toEqual(['a']);
  });

  test('a waiting write whose lane is paused is not sent', async () => {
    const here = page({ concurrency: 1 });
    await giveOffline(here, { body: 'a', lane: 'a' }, { body: 'b', lane: 'b', id: 'b' });
    const first = await startSending(here);
    await here.outbox.pause({ lane: 'b' });
    first.resolve(ok());
    await settle();
    expect(sent(here)).toEqual(['a']);
  });

  test('a waiting write whose user has paused the outbox is not sent', async () => {
    const here = page();
    here.host.connectivity.set(false);
    for (let nth = 0; nth < 20; nth++) await give(here, `${nth}`, { lane: `${nth}` });
    const first = deferred<Response>(here);
    here.origin.otherwise(async () => (await first.work()).clone());
    here.host.connectivity.set(true);
    await settle();
    expect(sent(here)).toHaveLength(6);
    await here.outbox.pause();
    first.resolve(ok());
    await settle();
    expect(sent(here)).toHaveLength(6);
  });

  test('a waiting write that expires is not sent', async () => {
    const here = page({ concurrency: 1 });
    await giveOffline(here, { body: 'a', lane: 'a' }, { body: 'b', lane: 'b', id: 'b', expiresAfter: '1s' });
    const first = await startSending(here);
    here.clock.jump(5_000);
    first.resolve(ok());
    await settle();
    expect(sent(here)).toEqual(['a']);
  });
});

/** A page with a hook that signs a write when the test resolves it. */
function pageWithHook(isSigned = (_: Request): boolean => true): Page & { readonly signed: Deferred<void> } {
  let signed: Deferred<void> | undefined;
  const here = page({ authorize: (request) => (isSigned(request) ? signed?.work() : undefined) });
  signed = deferred<void>(here);
  return { ...here, signed };
}

test('a write whose lane is paused while the hook signs it is not sent', async () => {
  const here = pageWithHook();
  await giveOffline(here, { body: 'a', lane: 'a' });
  here.host.connectivity.set(true);
  await settle();
  await here.outbox.pause({ lane: 'a' });
  here.signed.resolve();
  await settle();
  expect(sent(here)).toEqual([]);
});

test('a write that is removed from the store while a slow hook signs it is not sent, even without a broadcast', async () => {
  const here = page({ authorize: () => new Promise((give) => void here.clock.after(100, () => give())) });
  await giveOffline(here, { body: 'a', id: 'a' });
  here.host.connectivity.set(true);
  const queue = new Queue('default', readOutboxOptions({}, here.store));
  const entry = await queue.find('ann', 'a');
  here.clock.after(50, () => void (entry && remove(queue, entry)));
  await here.clock.advance(200);
  expect(sent(here)).toEqual([]);
  expect(await here.outbox.counts()).toMatchObject({ waiting: 0 });
});

test('a write that is removed while the hook signs it is not sent', async () => {
  const here = pageWithHook();
  await giveOffline(here, { body: 'a', id: 'a' });
  here.host.connectivity.set(true);
  await settle();
  expect(await here.outbox.remove('a')).toBe(true);
  here.signed.resolve();
  await settle();
  expect(sent(here)).toEqual([]);
});

test('a stopped flush sends no entry that waits for its slot', async () => {
  const here = await pageWith(
    { concurrency: 1 },
    { body: 'a', lane: 'a' },
    { body: 'b', lane: 'b' },
    { body: 'c', lane: 'c' },
  );
  const first = deferred<Response>(here);
  here.origin.replies(first.work);
  const stop = new AbortController();
  const flushed = here.outbox.flush({ signal: stop.signal });
  await settle();
  stop.abort();
  first.resolve(ok());
  await flushed;
  expect(sent(here)).toEqual(['a']);
});

test('a write is sent after a dead letter before it that is replayed while the hook signs the write', async () => {
  const here = pageWithHook((request) => request.headers.has('if-match'));
  here.origin.replies(status(422));
  await giveOffline(here, { body: '1', id: '1' });
  await here.fetch(URL_, { ...POST, body: '2', headers: { 'if-match': '"x"' }, holdfast: { outbox: true } });
  here.host.connectivity.set(true);
  await settle();
  expect(sent(here)).toEqual(['1']);
  await here.outbox.replay('1');
  here.signed.resolve();
  await settle();
  expect(sent(here)).toEqual(['1', '1', '2']);
});

describe('a write that another policy delays', () => {
  /** Until the test ends the wait. */
  async function waiting(outbox: object = {}) {
    const box = outboxPolicy({ store: memoryStore() }, memoryStore);
    const wait = { for: (): Promise<void> => Promise.resolve() };
    const delaying: Policy = (next) => async (request, call) => {
      await wait.for();
      return next(request, call);
    };
    const here = scenario([box, delaying], { partition: 'ann' });
    closeAfterTest(here.fetch);
    const turn = deferred<void>(here);
    wait.for = turn.work;
    await giveOffline(here, { body: 'a', id: 'a', lane: 'a', ...outbox });
    here.host.connectivity.set(true);
    await settle();
    return { ...here, turn, outbox: box };
  }

  test.each<[string, (here: Awaited<ReturnType<typeof waiting>>) => unknown]>([
    ['is removed', ({ outbox }) => outbox.remove('a')],
    ['is paused', ({ outbox }) => outbox.pause({ lane: 'a' })],
    ['has expired', ({ clock }) => clock.jump(8 * 86_400_000)],
  ])('a delayed write that %s in the meantime is not sent', async (_, happens) => {
    const here = await waiting();
    await happens(here);
    here.turn.resolve();
    await settle();
    expect(here.origin.seen).toEqual([]);
    expect((await here.outbox.counts()).waiting + here.emitted('finished').length).toBe(1);
  });

  test('a delayed at-most-once write that is paused is sent after resume', async () => {
    const here = await waiting({ delivery: 'at-most-once' });
    await here.outbox.pause();
    here.turn.resolve();
    await settle();
    expect(here.origin.seen).toEqual([]);
    await here.outbox.resume();
    await settle();
    expect(here.origin.seen.map(({ body }) => body)).toEqual(['a']);
  });
});

test('a store that does not respond once to a released entry does not end its lane', async () => {
  const store = durableStore();
  const host = testHost({ clock: virtualClock({ quiet }) });
  const outbox = outboxPolicy({ store, delivery: 'at-most-once' }, memoryStore);
  let reached = (): void => {};
  const atPolicy = new Promise<void>((done) => {
    reached = done;
  });
  // A policy that delays a write, as the bulkhead does; its lane is paused during that time.
  const waiting: Policy = (next) => async (request, call) => {
    reached();
    await sleep(5_000, call);
    return next(request, call);
  };
  const fetch = pipeline([outbox, waiting], {
    name: 'given back',
    partition: 'ann',
    host,
    fetch: async () => ok(),
  });
  const given = fetch(URL_, POST);
  await atPolicy;
  await outbox.pause();
  store.break('hang');
  await given;
  await host.clock.advance(60_000);
  store.heal();
  await outbox.resume();
  await host.clock.advance(300_000);
  const { waiting: left } = await outbox.counts();
  await Promise.all([fetch.close(), host.clock.advance(60_000)]);
  expect(left).toBe(0);
});
