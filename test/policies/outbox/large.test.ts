import { expect, test } from 'vitest';
import type { AtomicStore, Item } from '../../../src/core/store.ts';
import type { OutboxEntry } from '../../../src/policies/outbox/queue/entry.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { URL_ as ADDRESS, page } from '../../support/outbox-page.ts';

/** The browsers in `faults` do a hundred thousand: these counts do not grow. */
const MANY = 20_000;
const LANES = 10;
const SENT = 200;

interface CountingStore extends FaultyStore {
  /** Items that the store returned. */
  items: number;
  /** In one operation. */
  largest: number;
}

function countingStore(): CountingStore {
  const inner = durableStore();
  const counted = async <T>(work: Promise<T>, count: (result: T) => number): Promise<T> => {
    const result = await work;
    store.items += count(result);
    store.largest = Math.max(store.largest, count(result));
    return result;
  };
  const store: CountingStore = {
    ...inner,
    items: 0,
    largest: 0,
    get: (key) => counted(inner.get(key), (item) => (item ? 1 : 0)),
    range: (query) => counted(inner.range(query), (items) => items.length),
    rangeWithBodies: (query) => counted(inner.rangeWithBodies(query), (items) => items.length),
    groups: (prefix, limit) => counted(inner.groups(prefix, limit), (groups) => groups.length),
    change: (keys, decide, options) =>
      inner.change(
        keys,
        (found) => {
          store.items += found.length;
          return decide(found);
        },
        options,
      ),
  };
  return store;
}

const keyOf = (model: Item, nth: number): string =>
  model.key.replace(/[^ ]*$/, `${nth.toString(36).padStart(9, '0')}-many`);

/** Makes many of the one write that there is: with the records that the outbox itself has written. */
async function multiply(store: AtomicStore): Promise<Item<OutboxEntry>> {
  const items = await store.range({});
  const model = items.find(({ key }) => key.startsWith('entry ')) as Item<OutboxEntry>;
  const totals = items.find(({ key }) => key.startsWith('totals ')) as Item<object>;
  const parts = (model.group as string).split(' ').slice(0, -1);
  const many = Array.from({ length: MANY }, (_, nth) => {
    const key = keyOf(model, nth);
    const lane = `lane-${nth % LANES}`;
    const value = { ...model.value, id: key, key, lane, idempotencyKey: `many-${nth}`, size: 0 };
    return { put: { ...model, key, group: [...parts, lane].join(' '), value } };
  });
  await store.write(many);
  await store.write([
    { delete: model.key },
    { put: { ...totals, value: { count: MANY, bytes: 0, stamp: MANY } } },
  ]);
  return model;
}

test('the outbox reads no more of thousands of waiting entries than it needs', async () => {
  const store = countingStore();
  const first = page({ maxEntries: MANY + 1 }, store);
  first.host.connectivity.set(false);
  await first.fetch(ADDRESS, { method: 'POST', holdfast: { outbox: true } });
  await first.fetch.close();
  const model = await multiply(store);

  const { outbox, host, origin } = page({ maxEntries: MANY + 1 }, store, first);
  const read = async <T>(work: () => Promise<T>): Promise<[T, number]> => {
    store.items = 0;
    const result = await work();
    return [result, store.items];
  };
  for (const at of [0, MANY / 2, MANY - 50]) {
    const after = at > 0 ? { after: keyOf(model, at - 1) } : {};
    const [entries, items] = await read(() => outbox.entries(after));
    expect(entries.map(({ idempotencyKey }) => idempotencyKey)).toEqual(
      Array.from({ length: 50 }, (_, nth) => `many-${at + nth}`),
    );
    expect(items).toBe(50);
  }
  const [counts, itemsOfCounts] = await read(() => outbox.counts());
  expect(counts).toEqual({ waiting: MANY, deadLetters: 0, count: MANY, bytes: 0 });
  expect(itemsOfCounts).toBeLessThan(5);
  const [lanes, itemsOfLanes] = await read(() => outbox.lanes());
  expect(lanes.map(({ waiting }) => waiting)).toEqual(Array.from({ length: LANES }, () => MANY / LANES));
  expect(itemsOfLanes).toBeLessThan(2 * LANES + 5);

  let delivered = 0;
  outbox.subscribe(({ type }) => {
    if (type === 'delivered' && ++delivered === SENT) host.connectivity.set(false);
  });
  host.connectivity.set(true);
  const [report, items] = await read(() => outbox.flush());
  expect(report.left).toBe(MANY - delivered);
  expect(origin.seen.length).toBe(delivered);
  expect(delivered).toBeLessThan(SENT + LANES);
  expect(items).toBeLessThan(12 * SENT + 10 * LANES);
  expect(store.largest).toBeLessThanOrEqual(100);
}, 30_000);

test('large waiting bodies are not in memory together', async () => {
  const store = countingStore();
  const { fetch, outbox, host, origin } = page({}, store);
  host.connectivity.set(false);
  const body = 'x'.repeat(100_000);
  for (let nth = 0; nth < 10; nth++)
    await fetch(ADDRESS, { method: 'POST', body, holdfast: { outbox: true } });
  const read: number[] = [];
  const { rangeWithBodies } = store;
  store.rangeWithBodies = async (...query) => {
    const found = await rangeWithBodies(...query);
    read.push(found.reduce((sum, whole) => sum + ((whole.body as string | undefined)?.length ?? 0), 0));
    return found;
  };
  host.connectivity.set(true);
  await outbox.flush();
  expect(origin.seen).toHaveLength(10);
  expect(Math.max(...read)).toBeLessThan(300_000);
});
