/** Something happens between a read of the store and the change that follows from it. */
import { expect, test } from 'vitest';
import type { AtomicStore, RangeQuery } from '../../../src/core/store.ts';
import { expireResults, purgePartition } from '../../../src/policies/outbox/queue/cleanup.ts';
import { Lease } from '../../../src/policies/outbox/queue/lease.ts';
import { Queue } from '../../../src/policies/outbox/queue/queue.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { ok, status, testHost } from '../../../src/testing.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { page, settle } from '../../support/outbox-page.ts';
import { give, giveOffline, sent } from '../../support/outbox-writes.ts';

const queueOf = (store: AtomicStore): Queue => new Queue('default', { store, encryption: undefined });

/** A store in which something else happens once, after a range was read. */
function afterRange<Store extends AtomicStore>(
  store: Store,
  isMeant: (query: RangeQuery) => boolean,
  happens: () => Promise<unknown>,
): Store {
  let isOver = false;
  return {
    ...store,
    async range(query: RangeQuery) {
      const found = await store.range(query);
      if (!isOver && isMeant(query)) {
        isOver = true;
        await happens();
      }
      return found;
    },
  };
}

test('a clear of a user leaves the lease that a worker has just taken', async () => {
  const store = memoryStore();
  const place = { key: 'lease default ann lane', collection: 'lease default ann' };
  const [host, other] = [testHost(), testHost({ seed: 2 })];
  const take = async (by = host): Promise<Lease> => (await Lease.take(store, place, by)) as Lease;
  await (await take()).release();
  const racing = afterRange(store, ({ collection }) => collection === place.collection, take);
  await purgePartition(queueOf(racing), 'ann', host.clock.now());
  expect(await take(other)).toBeGreaterThan(0);
});

test.each([
  ['an expiry', (queue: Queue, time: number) => expireResults(queue, time)],
  ['a clear', (queue: Queue, time: number) => purgePartition(queue, 'ann', time)],
] as const)('%s in two tabs leaves the id of a write that uses it again', async (_, clean) => {
  const store = durableStore();
  const here = page({ resultTtl: '1m' }, store);
  await give(here, 'a', { id: 'a' });
  await settle();
  await here.clock.advance(120_000);
  const old = here.clock.now() - 60_000;
  const racing = afterRange(
    store,
    () => true,
    async () => {
      await clean(queueOf(store), old);
      here.host.connectivity.set(false);
      await give(here, 'b', { id: 'a' });
    },
  );
  await clean(queueOf(racing), old);
  // The same write: one entry.
  await give(here, 'b', { id: 'a' });
  here.host.connectivity.set(true);
  await here.outbox.flush();
  expect(sent(here)).toEqual(['a', 'b']);
});

test('a dead letter that is edited while it is removed is removed', async () => {
  const inner = durableStore();
  let edit: (() => Promise<unknown>) | undefined;
  const store: FaultyStore = {
    ...inner,
    async get(key) {
      const found = await inner.get(key);
      const now = key.startsWith('entry ') ? edit : undefined;
      if (now) edit = undefined;
      await now?.();
      return found;
    },
  };
  const here = page({}, store);
  here.origin.replies(status(422));
  await give(here, 'a', { id: 'a' });
  await settle();
  edit = () => here.outbox.edit('a', (request) => new Request(request, { body: 'z' }));
  expect(await here.outbox.remove('a')).toBe(true);
  expect(edit).toBeUndefined();
  expect(await here.outbox.entries({ state: 'dead-letter' })).toEqual([]);
});

test('a dead letter stops its lane although the store is slow to say that it is written', async () => {
  const inner = durableStore();
  let slow: Promise<void> | undefined;
  const change: FaultyStore['change'] = async (...args) => {
    const result = await inner.change(...args);
    const wait = slow;
    slow = undefined;
    await wait;
    return result;
  };
  const here = page({ blockLaneOnFailure: true }, { ...inner, change });
  await giveOffline(here, { body: 'a', id: 'a' }, { body: 'b', id: 'b' });
  here.origin.replies(() => {
    slow = new Promise((resolve) => here.clock.after(25_000, resolve));
    return status(422);
  }, ok());
  here.host.connectivity.set(true);
  await settle();
  await here.clock.advance(40_000);
  await settle();
  expect(sent(here)).toEqual(['a']);
  expect((await here.outbox.lanes())[0]?.stoppedBy).toBe('a');
});

test('a store that fails once while the request is replaced makes no dead letter', async () => {
  const inner = durableStore();
  let fails = false;
  const change: FaultyStore['change'] = async (...args) => {
    if (!fails) return inner.change(...args);
    fails = false;
    throw new Error('the disk was busy');
  };
  const here = page(
    {
      onConflict(_, __, request) {
        fails = true;
        return new Request(request, { body: 'solved' });
      },
    },
    { ...inner, change },
  );
  here.origin.replies(status(409), status(409), ok());
  await give(here, 'mine', { id: 'a' });
  await settle();
  expect(await here.outbox.counts()).toMatchObject({ waiting: 1, deadLetters: 0 });
});
