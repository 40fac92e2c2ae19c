import { afterEach, describe, expect, test } from 'vitest';
import {
  createFetch,
  type HoldfastFetch,
  indexedDBStore,
  outbox,
  sourceOf,
  staleCache,
} from '../../src/index.ts';
import { openRaw, type Record1, readRaw, version1 } from './version-1.ts';

const URL_ = 'https://api.example.com/orders?x=1';
const LANE = 'cart 7';
const FUTURE = 4_000_000_000_000;

const entry = (id: string, more: object): object => ({
  id,
  partition: 'ann smith',
  lane: LANE,
  origin: 'https://api.example.com',
  expiresAt: FUTURE,
  notBefore: 0,
  attempts: 0,
  request: {
    url: URL_,
    method: 'POST',
    headers: [['content-type', 'text/plain']],
    credentials: 'same-origin',
    mode: 'cors',
    redirect: 'follow',
    referrerPolicy: '',
  },
  options: {},
  ...more,
});

const zero = {
  idempotencyKey: '"8x97lbh44pl1udqo8yiwac"',
  acceptedAt: 1_750_000_000_000,
  size: 4,
  fingerprint: 'f5ccad5864048ca2403b3223d73a6678d89cc05a5b42f1555d3b5233a43b8c7b',
  key: 'entry shop 0mbxstdz4-9bneilvkl3b',
};
const one = {
  idempotencyKey: '"2b1pgtg8tx7k2085ds05m"',
  acceptedAt: 1_750_000_001_000,
  size: 3,
  fingerprint: 'a83a2a58e3c628cf7c0416cbcf82b216e85a5fbb23e7c0d9a804133ae8975a14',
  key: 'entry shop 0mbxsteqw-h149ldphjjg',
};
const two = {
  idempotencyKey: '"d1uiuu1h5zj8a723x8nn"',
  acceptedAt: 1_750_000_002_000,
  size: 3,
  key: 'entry shop 0mbxstfio-rcyicyh73h',
};

/** As a page of version 1 left it: one write was refused for good, one has been tried, one has not. */
const WRITTEN: readonly Record1[] = [
  {
    item: {
      key: zero.key,
      group: 'dead shop ann%20smith ',
      value: entry('order-0', {
        ...zero,
        state: 'dead',
        attempts: 1,
        reason: { code: 'http', status: 422 },
      }),
    },
    body: 'zero',
  },
  {
    item: {
      key: one.key,
      group: 'waiting shop ann%20smith cart%207',
      value: entry('order-1', {
        ...one,
        state: 'waiting',
        notBefore: 1_750_000_001_888.5298,
        misses: 1,
        silentSince: 1_750_000_001_003,
        asked: false,
        conflicts: 0,
        reason: { code: 'network', message: 'Failed to fetch' },
      }),
    },
    body: 'one',
  },
  {
    item: {
      key: two.key,
      group: 'waiting shop ann%20smith cart%207',
      value: entry('0mbxstfio-rcyicyh73h', { ...two, state: 'waiting' }),
    },
    body: new Uint8Array([116, 119, 111]),
  },
  {
    item: {
      key: 'id shop ann%20smith order-0',
      value: entry('order-0', { ...zero, state: 'waiting' }),
    },
  },
  {
    item: {
      key: 'id shop ann%20smith order-1',
      value: entry('order-1', { ...one, state: 'waiting' }),
    },
  },
  {
    item: {
      key: `result ${zero.key}`,
      value: {
        id: 'order-0',
        settledAt: FUTURE,
        delivered: false,
        response: {
          status: 422,
          statusText: '',
          url: '',
          type: 'default',
          redirected: false,
          headers: [['content-type', 'text/plain']],
        },
        reason: { code: 'http', status: 422 },
        partition: 'ann smith',
      },
    },
    body: new TextEncoder().encode('no such order'),
  },
  { item: { key: 'totals shop', value: { count: 2, bytes: 6, stamp: 1_750_000_002_000 } } },
];

const names: string[] = [];
const open: HoldfastFetch[] = [];
const newName = (): string => {
  const name = `upgrade-${crypto.randomUUID()}`;
  names.push(name);
  return name;
};

describe.skipIf(typeof globalThis.indexedDB !== 'object')('a page of this version', () => {
  afterEach(async () => {
    for (const fetch of open.splice(0)) await fetch.close();
    for (const name of names.splice(0)) indexedDB.deleteDatabase(name);
  });

  /** What arrives at an origin that is there again. */
  function page(name: string, user: string) {
    const arrived: string[] = [];
    const box = outbox({ store: indexedDBStore({ name }) });
    const fetch = createFetch({
      name: 'shop',
      partition: () => user,
      outbox: box,
      fetch: async (input, init) => {
        const request = new Request(input, init);
        arrived.push([request.headers.get('idempotency-key'), request.url, await request.text()].join(' '));
        return new Response(`thanks for ${arrived.length}`);
      },
    });
    open.push(fetch);
    return { fetch, box, arrived };
  }

  test('delivers what version 1 has accepted, in order, and replays its dead letters', async () => {
    const name = newName();
    await version1(name, WRITTEN);
    const { box, arrived } = page(name, 'ann smith');

    await box.flush();
    const delivered = [`${one.idempotencyKey} ${URL_} one`, `${two.idempotencyKey} ${URL_} two`];
    expect(arrived).toEqual(delivered);
    expect(await (await box.result('order-1')).text()).toBe('thanks for 1');
    expect(await (await box.result('0mbxstfio-rcyicyh73h')).text()).toBe('thanks for 2');
    expect(await box.entries()).toEqual([]);

    const dead = { id: 'order-0', lane: LANE, reason: { code: 'http', status: 422 } };
    expect(await box.entries({ state: 'dead' })).toMatchObject([dead]);
    expect(await box.entries({ state: 'dead', lane: LANE })).toMatchObject([dead]);
    const refused = await box.result('order-0');
    expect([refused.status, await refused.text()]).toEqual([422, 'no such order']);

    expect(await box.replay('order-0')).toBe(true);
    expect(await (await box.result('order-0')).text()).toBe('thanks for 3');
    expect(arrived).toEqual([...delivered, `${zero.idempotencyKey} ${URL_} zero`]);
    expect(await box.entries({ state: 'dead' })).toEqual([]);
    expect(await box.counts()).toMatchObject({ count: 0, bytes: 0 });
  });

  test('delivers nothing of another user', async () => {
    const name = newName();
    await version1(name, WRITTEN);
    const { box, arrived } = page(name, 'bob');
    await box.flush();
    expect(arrived).toEqual([]);
    expect(await box.entries({ state: 'dead' })).toEqual([]);
    expect(await box.counts()).toMatchObject({ count: 2, bytes: 6 });
  });

  test('queues behind what version 1 has accepted', async () => {
    const name = newName();
    await version1(name, WRITTEN);
    const { fetch, box, arrived } = page(name, 'ann smith');
    await fetch(URL_, { method: 'POST', body: 'three', holdfast: { outbox: { lane: LANE } } });
    await box.flush();
    expect(arrived.map((each) => each.split(' ').at(-1))).toEqual(['one', 'two', 'three']);
  });

  test('that is not the newest refuses writes for the outbox, and reads go on uncached', async () => {
    const [outboxName, cacheName] = [newName(), newName()];
    for (const name of [outboxName, cacheName]) (await openRaw(name, 99)).close();
    const trouble = Promise.withResolvers<unknown>();
    const sent: string[] = [];
    const fetch = createFetch({
      name: 'shop',
      partition: 'public',
      outbox: outbox({ store: indexedDBStore({ name: outboxName }) }),
      staleCache: staleCache({ store: indexedDBStore({ name: cacheName }) }),
      onEvent: (event) => {
        if (event.type === 'store-failed') trouble.resolve(event.error);
      },
      fetch: async (input, init) => {
        const { method } = new Request(input, init);
        sent.push(method);
        return new Response('fresh', { headers: { 'cache-control': 'max-age=60' } });
      },
    });
    open.push(fetch);
    for (const _ of [1, 2]) {
      const answer = await fetch(URL_);
      expect([await answer.text(), sourceOf(answer)]).toEqual(['fresh', 'network']);
    }
    expect(sent).toEqual(['GET', 'GET']);
    expect(await trouble.promise).toMatchObject({ code: 'storage-newer' });
    await expect(
      fetch(URL_, { method: 'POST', body: 'order', holdfast: { outbox: true } }),
    ).rejects.toMatchObject({ name: 'StorageError', code: 'storage-newer', transient: false });
    expect(sent).toEqual(['GET', 'GET']);
    for (const name of [outboxName, cacheName]) expect((await readRaw(name)).version).toBe(99);
  });
});
