import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { type WorkersKV, workersKVStore } from '../../src/cloudflare.ts';
import type { Change } from '../../src/core/store.ts';
import { createFetch, outbox, staleCache } from '../../src/index.ts';
import { storeLaws } from '../contracts/store.ts';
import { readsWithout, servesStale } from '../support/over-store.ts';

let made = 0;
const newName = (): string => `test ${++made}`;

storeLaws(() => {
  const name = newName();
  return { store: workersKVStore(env.KV, { name }), reopen: () => workersKVStore(env.KV, { name }) };
});

const put = (key: string, value: unknown): Change => ({ put: { key, value } });

/** A binding whose operations a test can replace, and which records them. */
function binding(faults: Partial<WorkersKV> = {}) {
  const asked: string[] = [];
  const kv: WorkersKV = {
    getWithMetadata(key, type) {
      asked.push('get');
      return (faults.getWithMetadata ?? env.KV.getWithMetadata.bind(env.KV))(key, type);
    },
    put(key, value, options) {
      asked.push('put');
      return (faults.put ?? env.KV.put.bind(env.KV))(key, value, options);
    },
    delete(key) {
      asked.push('delete');
      return (faults.delete ?? env.KV.delete.bind(env.KV))(key);
    },
    list(options) {
      asked.push('list');
      return (faults.list ?? env.KV.list.bind(env.KV))(options);
    },
  };
  return { kv, asked };
}

const status =
  (text: string): (() => Promise<never>) =>
  () =>
    Promise.reject(new Error(`KV PUT failed: ${text}`));

test('a stale cache over it', () => {
  const name = newName();
  return servesStale(() => workersKVStore(env.KV, { name }));
});

test('lists small items without reading them, and larger ones by reading each', async () => {
  const name = newName();
  const { kv, asked } = binding();
  const store = workersKVStore(kv, { name });
  await store.write([
    { ...put('a 1', 'x'.repeat(800)), body: 'small' },
    { ...put('a 2', 'x'.repeat(1_100)), body: 'large' },
    { ...put('a 3', 'ä'), body: 'not ASCII' },
  ]);
  asked.length = 0;
  expect((await store.range({ prefix: 'a ' })).map(({ value }) => (value as string).length)).toEqual([
    800, 1_100, 1,
  ]);
  expect(asked.sort()).toEqual(['get', 'get', 'list']);
  asked.length = 0;
  const rangeWithBodies = await store.rangeWithBodies({ prefix: 'a ' });
  expect(rangeWithBodies.map(({ body }) => body)).toEqual(['small', 'large', 'not ASCII']);
  expect(asked.sort()).toEqual(['get', 'get', 'get', 'list']);
});

test('lists more than KV gives at once', async () => {
  const store = workersKVStore(env.KV, { name: newName() });
  const keys = Array.from({ length: 1_100 }, (_, n) => `k ${`${n}`.padStart(4, '0')}`);
  await store.write(keys.map((key) => put(key, 1)));
  expect((await store.range({ prefix: 'k ' })).map(({ key }) => key)).toEqual(keys);
  expect((await store.range({ after: 'k 1098' })).map(({ key }) => key)).toEqual(['k 1099']);
}, 60_000);

describe('an entry', () => {
  test('of two writers is one writer’s, with its body', async () => {
    const name = newName();
    const stores = [1, 2].map(() => workersKVStore(env.KV, { name }));
    for (let turn = 0; turn < 10; turn++) {
      await Promise.all(stores.map((store, at) => store.write([{ ...put('a', at), body: `body ${at}` }])));
      const [whole] = (await stores[0]?.rangeWithBodies({ prefix: 'a' })) ?? [];
      expect(whole?.body).toBe(`body ${whole?.value}`);
    }
  });

  test('of which a part is missing has no body, and never half of one', async () => {
    const name = newName();
    const store = workersKVStore(env.KV, { name });
    for (const value of ['small', 'x'.repeat(2_000)]) {
      await store.write([{ ...put('a', value), body: 'the whole body' }]);
      const { value: stored, metadata } = await env.KV.getWithMetadata(`${name}/a`, 'arrayBuffer');
      const half = new Uint8Array((stored as ArrayBuffer).slice(0, -5));
      await env.KV.put(`${name}/a`, half, { metadata: metadata as object });
      expect((await store.get('a'))?.value).toBe(value);
      expect(await store.body('a')).toBeUndefined();
      expect((await store.rangeWithBodies({ prefix: 'a' }))[0]?.body).toBeUndefined();
    }
    const { metadata } = await env.KV.getWithMetadata(`${name}/a`, 'arrayBuffer');
    await env.KV.put(`${name}/a`, new Uint8Array(10), { metadata: metadata as object });
    expect(await store.get('a')).toBeUndefined();
    expect(await store.range({})).toEqual([]);
  });

  test('that another version has written is not there, and is written anew', async () => {
    const name = newName();
    const store = workersKVStore(env.KV, { name });
    const value = new TextEncoder().encode('{"item":1}') as Uint8Array<ArrayBuffer>;
    const head = { item: { key: 'a', value: 'other' } };
    for (const metadata of [
      { schema: 0, head },
      { schema: 2, head },
      { schema: 2, head: 10 },
      { head },
      {},
    ]) {
      await env.KV.put(`${name}/a`, value, { metadata });
      expect(await store.get('a')).toBeUndefined();
      expect(await store.rangeWithBodies({ prefix: '' })).toEqual([]);
    }
    await store.write([put('a', 1)]);
    expect((await store.get('a'))?.value).toBe(1);
  });

  test('of more than 25 MiB is not written, nor what was to be written with it', async () => {
    const store = workersKVStore(env.KV, { name: newName() });
    const body = new Uint8Array(25 * 1024 * 1024);
    await store.write([{ ...put('largest', 1), body }]);
    expect(((await store.body('largest')) as Uint8Array).length).toBe(body.length);
    const larger = new Uint8Array(body.length + 1);
    await expect(store.write([put('small', 1), { ...put('large', 1), body: larger }])).rejects.toMatchObject({
      name: 'StorageError',
      transient: false,
      message: 'Workers KV: 26214401 bytes are more than a value may have: 26214400',
    });
    expect((await store.range({})).map(({ key }) => key)).toEqual(['largest']);
  });

  test('goes by itself after the time that was asked for', async () => {
    const lifetimes: unknown[] = [];
    const { kv } = binding({
      put: async (_, __, { expirationTtl }) => void lifetimes.push(expirationTtl),
    });
    await workersKVStore(kv, { expiresAfter: '90s' }).write([put('a', 1)]);
    await workersKVStore(kv, { expiresAfter: false }).write([put('a', 1)]);
    await workersKVStore(kv).write([put('a', 1)]);
    expect(lifetimes).toEqual([90, undefined, undefined]);
  });
});

test('what is there already is not written again, as a key takes one write a second', async () => {
  const name = newName();
  const { kv, asked } = binding();
  const store = workersKVStore(kv, { name });
  await store.write([{ ...put('a', { deep: [1] }), body: 'body' }]);
  asked.length = 0;
  await store.write([put('a', { deep: [1] })]);
  expect(asked).toEqual(['get']);
  await store.write([put('a', { deep: [2] })]);
  expect(asked).toEqual(['get', 'get', 'put']);
  expect(await store.body('a')).toBe('body');
  await workersKVStore(kv, { name, expiresAfter: '1d' }).write([put('a', { deep: [2] })]);
  expect(asked.filter((each) => each === 'put')).toHaveLength(2);
});

test('a response that is stored writes no key twice', async () => {
  const keys: string[] = [];
  const { kv } = binding({
    put(key, value, options) {
      keys.push(key);
      return env.KV.put(key, value, options);
    },
  });
  const store = workersKVStore(kv, { name: newName() });
  let stored = (): void => {};
  const fetch = createFetch({
    partition: 'ann',
    staleCache: staleCache({ store }),
    fetch: async () => new Response('body'),
    onEvent: ({ type }) => type === 'cache-stored' && stored(),
  });
  for (const path of ['1', '2']) {
    // The first has found nothing there, and said so.
    keys.length = 0;
    const done = new Promise<void>((give) => {
      stored = give;
    });
    await (await fetch(`https://a.example/${path}`)).text();
    await done;
  }
  await fetch.close();
  expect(keys).toEqual([...new Set(keys)]);
  expect(keys).toHaveLength(2);
});

describe('a binding that refuses', () => {
  test('one key that was written a moment ago leaves the others written', async () => {
    const name = newName();
    const { kv } = binding({
      put: (key, value, options) =>
        key.endsWith('total') ? status('429 Too Many Requests')() : env.KV.put(key, value, options),
    });
    const store = workersKVStore(kv, { name });
    await expect(store.write([put('total', 1), { ...put('cached', 1), body: 'body' }])).rejects.toMatchObject(
      {
        name: 'StorageError',
        transient: true,
        message: 'Workers KV: write failed: KV PUT failed: 429 Too Many Requests',
      },
    );
    expect(await store.body('cached')).toBe('body');
    expect(await store.get('total')).toBeUndefined();
  });

  test.each([
    ['to write', { put: status('403 Forbidden') }],
    ['to write so often', { put: status('429 Too Many Requests') }],
    ['to be read', { getWithMetadata: status('500'), list: status('500') }],
  ] as const)(
    '%s leaves a cache without cached responses, and its reads with what the network has',
    async (_, faults) => {
      expect(await readsWithout(workersKVStore(binding(faults).kv, { name: newName() }))).toMatchObject({
        type: 'store-failed',
        error: { name: 'StorageError' },
      });
    },
  );

  test('to write goes on giving what there is', async () => {
    const name = newName();
    await workersKVStore(env.KV, { name }).write([{ ...put('a', 1), body: 'there' }]);
    const store = workersKVStore(binding({ put: status('403 Forbidden') }).kv, { name });
    await expect(store.write([put('a', 2)])).rejects.toThrow('403');
    expect(await store.rangeWithBodies({ prefix: 'a' })).toEqual([{ key: 'a', value: 1, body: 'there' }]);
  });
});

test('what cannot be meant is refused', () => {
  expect(() => workersKVStore(undefined as never)).toThrow(
    'workersKVStore.namespace: undefined is not allowed; expected a KV namespace, such as env.CACHE',
  );
  expect(() => workersKVStore({ get() {} } as never)).toThrow(/it lacks getWithMetadata, put, delete, list/);
  expect(() => workersKVStore(env.KV, { expiresAfter: '59s' })).toThrow(
    "workersKVStore.expiresAfter: '59s' is not allowed; expected at least '1m', or false",
  );
  expect(() => workersKVStore(env.KV, { expires: 1 } as never)).toThrow(/known: name, expiresAfter/);
  expect(() => outbox({ store: workersKVStore(env.KV) as never })).toThrow(
    /outbox.store: .*expected a store with atomic changes; it lacks groups, count, change/,
  );
});
