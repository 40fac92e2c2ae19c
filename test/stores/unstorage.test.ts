import { createStorage, type Driver, prefixStorage } from 'unstorage';
import memoryDriver from 'unstorage/drivers/memory';
import { describe, expect, test } from 'vitest';
import type { Change } from '../../src/core/store.ts';
import { auth } from '../../src/policies/auth/auth.ts';
import { type Unstorage, unstorageStore } from '../../src/unstorage.ts';
import { storeLaws } from '../contracts/store.ts';
import { readsWithout, servesStale } from '../support/over-store.ts';

const put = (key: string, value: unknown): Change => ({ put: { key, value } });

const bytesOf = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).map((_, at) => (at * 7) % 251);

/** As Redis has it: text and nothing else. */
function textDriver(): Driver {
  const { getItemRaw, setItemRaw, ...driver } = memoryDriver();
  return driver;
}

/** The same, and what was written as text it gives as text. */
function plainTextDriver(): Driver {
  const { setItemRaw, ...driver } = memoryDriver();
  return driver;
}

/** As a file system or a bucket has it: bytes and nothing else. */
function bytesDriver(given: (bytes: Uint8Array<ArrayBuffer>) => unknown): Driver {
  const kept = new Map<string, Uint8Array<ArrayBuffer>>();
  const utf8 = new TextEncoder();
  return {
    name: 'bytes',
    hasItem: (key) => kept.has(key),
    getItem: (key) => {
      const bytes = kept.get(key);
      return bytes ? new TextDecoder().decode(bytes) : null;
    },
    getItemRaw: (key) => {
      const bytes = kept.get(key);
      return bytes ? given(bytes) : null;
    },
    setItem: (key, value) => void kept.set(key, utf8.encode(value) as Uint8Array<ArrayBuffer>),
    setItemRaw: (key, value) => void kept.set(key, new Uint8Array(value)),
    removeItem: (key) => void kept.delete(key),
    getKeys: () => [...kept.keys()],
  };
}

describe.each<[string, () => Driver]>([
  ['memory', memoryDriver],
  ['text', textDriver],
  ['text as it is', plainTextDriver],
  ['bytes', () => bytesDriver((bytes) => bytes)],
  ['buffers', () => bytesDriver((bytes) => bytes.buffer)],
  ['blobs', () => bytesDriver((bytes) => new Blob([bytes]))],
])('unstorage over %s', (_, driver) => {
  storeLaws(() => {
    const storage = createStorage({ driver: driver() });
    return { store: unstorageStore(storage), reopen: () => unstorageStore(storage) };
  });

  test('tokens in it are encrypted, or `false` is said', () => {
    const store = unstorageStore(createStorage({ driver: driver() }));
    const tokens = { scheme: 'bearer', origins: ['https://api.example.com'], token: () => 'secret' } as const;
    expect(() => auth({ ...tokens, store } as never)).toThrow(/auth\.encryption/);
    expect(() => auth({ ...tokens, store, encryption: false })).not.toThrow();
  });

  test('a stale cache over it', () => {
    const storage = createStorage({ driver: driver() });
    return servesStale(() => unstorageStore(storage));
  });

  test('of two writers of a key one has the item, with its body or none', async () => {
    const storage = createStorage({ driver: driver() });
    const stores = [1, 2].map(() => unstorageStore(storage));
    for (let turn = 0; turn < 10; turn++) {
      await Promise.all(stores.map((store, at) => store.write([{ ...put('a', at), body: `body ${at}` }])));
      const [whole] = (await stores[0]?.rangeWithBodies({ prefix: 'a' })) ?? [];
      expect([`body ${whole?.value}`, undefined]).toContain(whole?.body);
    }
  });

  test('keeps large bodies', async () => {
    const store = unstorageStore(createStorage({ driver: driver() }));
    const bytes = bytesOf(3_000_000);
    await store.write([{ ...put('a', 1), body: bytes }]);
    const kept = (await store.body('a')) as Uint8Array;
    expect(kept.byteLength).toBe(bytes.byteLength);
    // A matcher takes half a minute for so many on a busy machine.
    expect(bytes.findIndex((byte, at) => byte !== kept[at])).toBe(-1);
  });
});

describe('unstorage', () => {
  test('may be mounted, and shared with others', async () => {
    const storage = createStorage();
    storage.mount('fast', memoryDriver());
    await storage.setItem('holdfast-of-others', 1);
    const stores = [
      unstorageStore(storage),
      unstorageStore(storage, { name: 'other' }),
      unstorageStore(prefixStorage(storage, 'fast')),
    ];
    for (const [at, store] of stores.entries()) await store.write([{ ...put('a', at), body: bytesOf(10) }]);
    for (const [at, store] of stores.entries()) {
      expect(await store.rangeWithBodies({ prefix: '' })).toEqual([
        { key: 'a', value: at, body: bytesOf(10) },
      ]);
      await store.write([{ delete: 'a' }]);
    }
    expect(await storage.getKeys()).toEqual(['holdfast-of-others']);
  });

  test('has names that no driver reads as something else', async () => {
    const storage = createStorage();
    const keys = [
      'response ann https://a.example/../x?y=%20#z 1',
      'response ann https://A.example/../x?y=%20#z 1',
      'a:b',
      'a/b',
      'a\\b',
      'a',
      'a ',
      ' a',
      'a$',
      'a.item',
      'a+',
      '~',
      '…',
      `long ${'ä'.repeat(300)} x`,
    ];
    const store = unstorageStore(storage);
    await store.write(keys.map((key) => put(key, key)));
    expect((await store.range({})).map(({ value }) => value)).toEqual(keys.toSorted());
    for (const name of await storage.getKeys()) {
      expect(name).toMatch(/^[a-z0-9_~+:.-]+$/);
      expect(Math.max(...name.split(':').map(({ length }) => length))).toBeLessThan(256);
    }
  });

  test('asks its driver for no more than what is in a folder', async () => {
    const asked: string[] = [];
    const driver: Driver = memoryDriver();
    const getKeys = driver.getKeys;
    const store = unstorageStore(
      createStorage({
        driver: {
          ...driver,
          getKeys(base, options) {
            asked.push(base);
            return getKeys(base, options);
          },
        },
      }),
    );
    await store.range({ prefix: 'response ann https://a.example/ ' });
    expect(asked).toEqual(['holdfast:kresponse:kann:khttps~3a~2f~2fa~2eexample~2f:']);
  });

  describe('an entry', () => {
    const nameOf = 'holdfast:ka';

    test('of which two writers have each written a part has no body', async () => {
      const storage = createStorage();
      const store = unstorageStore(storage);
      await store.write([{ ...put('a', 1), body: 'one' }]);
      const body = await storage.getItemRaw(`${nameOf}.body`);
      await store.write([{ ...put('a', 2), body: 'two' }]);
      await storage.setItemRaw(`${nameOf}.body`, body);
      expect((await store.get('a'))?.value).toBe(2);
      expect(await store.body('a')).toBeUndefined();
      expect(await store.rangeWithBodies({ prefix: 'a' })).toEqual([{ key: 'a', value: 2, body: undefined }]);
    });

    test('of which half is there is none, or has no body', async () => {
      const storage = createStorage();
      const store = unstorageStore(storage);
      await store.write([{ ...put('a', 1), body: bytesOf(1_000) }]);
      const body = (await storage.getItemRaw(`${nameOf}.body`)) as Uint8Array;
      for (const half of [
        body.slice(0, 900),
        body.slice(0, 10),
        new Uint8Array(),
        null,
        'text',
        { message: 'EIO' },
      ]) {
        await storage.setItemRaw(`${nameOf}.body`, half);
        expect(await store.body('a')).toBeUndefined();
      }
      const item = (await storage.getItem(`${nameOf}.item`)) as string;
      for (const half of [item.slice(0, -3), '', '{"a":1}', item.replace('holdfast/1', 'holdfast/0')]) {
        await storage.setItem(`${nameOf}.item`, half);
        expect(await store.get('a')).toBeUndefined();
        expect(await store.range({})).toEqual([]);
      }
      await store.write([put('a', 2)]);
      expect((await store.get('a'))?.value).toBe(2);
    });
  });

  test.each<[string, Partial<Unstorage>]>([
    [
      'cannot be reached',
      Object.fromEntries(
        ['getItem', 'setItem', 'getItemRaw', 'setItemRaw', 'getKeys', 'removeItem'].map((name) => [
          name,
          () => Promise.reject(new Error('ECONNREFUSED')),
        ]),
      ),
    ],
    ['is full', { setItem: () => Promise.reject(new Error('ENOSPC')) }],
  ])('that %s leaves reads with what the network has', async (_, faults) => {
    expect(await readsWithout(unstorageStore({ ...createStorage(), ...faults }))).toMatchObject({
      type: 'store-failed',
      error: { name: 'StorageError' },
    });
  });

  test('that cannot be written to has nothing, and says nothing of it', async () => {
    const { setItem, setItemRaw, removeItem, ...readOnly } = memoryDriver() as Driver;
    const store = unstorageStore(createStorage({ driver: readOnly }));
    await store.write([{ ...put('a', 1), body: 'body' }]);
    expect(await store.rangeWithBodies({ prefix: '' })).toEqual([]);
  });

  test('that cannot be meant is refused', () => {
    expect(() => unstorageStore(undefined as never)).toThrow(
      'unstorageStore.storage: undefined is not allowed; expected a storage that createStorage({ driver }) has made',
    );
    expect(() => unstorageStore({ getItem() {} } as never)).toThrow(
      /unstorageStore.storage.*it lacks setItem/,
    );
    expect(() => unstorageStore(createStorage(), { name: 'A:b' })).toThrow(/unstorageStore.name: 'A:b'/);
    expect(() => unstorageStore(createStorage(), { nmae: 'a' } as never)).toThrow(/known: name/);
  });
});
