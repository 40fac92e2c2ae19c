import { describe, expect, test } from 'vitest';
import { StorageError } from '../../src/core/errors.ts';
import { indexedDBStore } from '../../src/stores/indexeddb.ts';
import { storeContract } from '../contracts/store.ts';
import { newName } from '../support/databases.ts';
import { openRaw, type Record1, readRaw, version1, writeRaw } from './version-1.ts';

const hasIndexedDB = typeof globalThis.indexedDB === 'object';

describe.skipIf(!hasIndexedDB)('IndexedDB', () => {
  storeContract(() => {
    const name = newName();
    return { store: indexedDBStore({ name }), reopen: () => indexedDBStore({ name }) };
  });

  test('says that it is of one web origin', () => {
    expect(indexedDBStore({ name: newName() }).withinOrigin).toBe(true);
  });

  test('asks for strict durability where it is wanted, and only there', async () => {
    const asked: { wanted: unknown; got: unknown }[] = [];
    const native = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...args) {
      const transaction = native.apply(this, args);
      const wanted = args[2]?.durability;
      // Not every engine says what it has made of it.
      const got = 'durability' in transaction ? transaction.durability : wanted;
      if (args[1] === 'readwrite') asked.push({ wanted, got });
      return transaction;
    };
    try {
      const store = indexedDBStore({ name: newName() });
      const change = (key: string, options?: { strict?: boolean }): Promise<number> =>
        store.change([], () => ({ changes: [{ put: { key, value: 1 } }], result: 0 }), options);
      await change('a', { strict: true });
      await change('b');
      await change('c', { strict: false });
      await Promise.all([change('d'), change('e', { strict: true }), change('f')]);
      await Promise.all([change('g'), change('h')]);
      expect(asked).toEqual(
        ['strict', 'relaxed', 'relaxed', 'strict', 'relaxed'].map((durability) => ({
          wanted: durability,
          got: durability,
        })),
      );
      await store.write([{ put: { key: 'i', value: 1 } }]);
      expect(asked.at(-1)?.wanted).toBeUndefined();
      expect(asked.at(-1)?.got).not.toBe('strict');
    } finally {
      IDBDatabase.prototype.transaction = native;
    }
  });

  test('commits what is asked for at once in one transaction', async () => {
    const store = indexedDBStore({ name: newName() });
    await store.get('open');
    let transactions = 0;
    const native = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...args) {
      transactions++;
      return native.apply(this, args);
    };
    try {
      await Promise.all(
        Array.from({ length: 100 }, (_, n) =>
          store.change([], () => ({ changes: [{ put: { key: `${n}`, value: n } }], result: n }), {
            strict: true,
          }),
        ),
      );
      expect(transactions).toBe(1);
      expect(await store.range({})).toHaveLength(100);
    } finally {
      IDBDatabase.prototype.transaction = native;
    }
  });

  /** The connections that are opened while something runs. */
  async function connections(run: (opened: readonly IDBDatabase[]) => Promise<void>): Promise<void> {
    const open = IDBFactory.prototype.open;
    const opened: IDBDatabase[] = [];
    IDBFactory.prototype.open = function (...args) {
      const request = open.apply(this, args);
      request.addEventListener('success', () => opened.push(request.result));
      return request;
    };
    try {
      await run(opened);
    } finally {
      IDBFactory.prototype.open = open;
    }
  }

  test('opens again when the connection was closed under it', () =>
    connections(async (opened) => {
      const store = indexedDBStore({ name: newName() });
      await store.write([{ put: { key: 'a', value: 1 } }]);
      opened[0]?.close();
      expect((await store.get('a'))?.value).toBe(1);
      expect(opened).toHaveLength(2);
    }));

  test('lets another tab delete or upgrade the database, and goes on', async () => {
    const name = newName();
    const store = indexedDBStore({ name });
    await store.write([{ put: { key: 'a', value: 1 } }]);
    await new Promise((resolve, reject) => {
      const request = indexedDB.deleteDatabase(name);
      request.onsuccess = resolve;
      request.onblocked = () => reject(new Error('blocked'));
    });
    expect(await store.get('a')).toBeUndefined();
    await store.write([{ put: { key: 'b', value: 1 } }]);
    expect((await store.get('b'))?.value).toBe(1);
  });

  test('a failed open is an error of that operation, and is tried again at the next', async () => {
    const open = IDBFactory.prototype.open;
    IDBFactory.prototype.open = () => {
      throw new DOMException('not in private windows', 'InvalidStateError');
    };
    const store = indexedDBStore({ name: newName() });
    try {
      await expect(store.get('a')).rejects.toThrow(StorageError);
      await expect(store.get('a')).rejects.toThrow('not in private windows');
    } finally {
      IDBFactory.prototype.open = open;
    }
    await store.write([{ put: { key: 'a', value: 1 } }]);
    expect((await store.get('a'))?.value).toBe(1);
  });

  describe('an earlier version', () => {
    const entry = (state: string, partition: string, lane: string, id: string): Record1 => ({
      item: {
        key: `entry shop ${id}`,
        group: `${state} shop ${encodeURIComponent(partition)} ${state === 'dead' ? '' : encodeURIComponent(lane)}`,
        value: { id, partition, lane, state },
      },
      body: `body of ${id}`,
    });
    const records: readonly Record1[] = [
      entry('waiting', 'ann', 'cart 7', '1'),
      entry('waiting', 'bob', 'cart 7', '2'),
      entry('dead', 'ann', 'cart 7', '3'),
      entry('waiting', 'ann', 'https://a.example', '4'),
      entry('dead', 'ann', 'https://a.example', '5'),
      entry('dead', 'bob', 'b/ä', '6'),
      entry('waiting', 'ann', 'cart 7', '7'),
      entry('dead', 'ann', '', '8'),
      { item: { key: 'id shop ann 1', value: { id: '1', partition: 'ann', lane: 'cart 7' } } },
      { item: { key: 'result entry shop 3', value: { partition: 'ann/ä' } }, body: new Uint8Array([3]) },
      { item: { key: 'result entry shop 4', value: { partition: 'bob' } } },
      { item: { key: 'result entry strange', value: null } },
      { item: { key: 'totals shop', value: { count: 4, bytes: 9, stamp: 7 } } },
      { item: { key: 'copy ann 1', group: 'used 0001', value: { usedAt: 1 } }, body: 'copy' },
      { item: { key: 'strange', group: 'waiting a b c', value: 1 } },
      { item: { key: 'entry strange', group: 'waiting for what', value: 1 } },
      { item: { key: 'entry without group', value: 1 } },
      { item: { key: 'entry shop 9', group: 'dead shop cy ', value: null } },
    ];
    const keys = (of: { group: string } | { collection: string }, store = indexedDBStore()) =>
      store.range(of).then((items) => items.map(({ key }) => key.replace('entry shop ', '')).join());

    test('is upgraded under an old tab that makes way, and everything is found where it belongs', async () => {
      const name = newName();
      const old = await version1(name, records);
      const store = indexedDBStore({ name });
      const at = (group: string) => keys({ group }, store);
      const all = (collection: string) => keys({ collection }, store);

      expect(await all('waiting shop ann')).toBe('1,4,7');
      expect(await all('waiting shop bob')).toBe('2');
      expect(await all('dead shop ann')).toBe('3,5,8');
      expect(await all('dead shop bob')).toBe('6');
      expect(await all('dead shop cy')).toBe('9');
      expect(await at('dead shop cy ')).toBe('9');
      expect(await at('waiting shop ann cart%207')).toBe('1,7');
      expect(await at('waiting shop ann https%3A%2F%2Fa.example')).toBe('4');
      expect(await at('waiting shop bob cart%207')).toBe('2');
      expect(await at('dead shop ann cart%207')).toBe('3');
      expect(await at('dead shop ann https%3A%2F%2Fa.example')).toBe('5');
      expect(await at('dead shop ann ')).toBe('8');
      expect(await at('dead shop bob b%2F%C3%A4')).toBe('6');
      expect(await all('settled shop ann%2F%C3%A4')).toBe('result 3');
      expect(await all('settled shop bob')).toBe('result 4');
      expect(await at('used 0001')).toBe('copy ann 1');
      expect(await store.count({ collection: 'dead shop ann' })).toBe(3);
      expect(await store.groups('waiting shop ann ')).toEqual([
        'waiting shop ann cart%207',
        'waiting shop ann https%3A%2F%2Fa.example',
      ]);

      for (const { item, body } of records) {
        expect((await store.get(item.key))?.value).toEqual(item.value);
        expect(await store.body(item.key)).toEqual(body);
        if (!item.key.includes('entry shop')) expect(await store.get(item.key)).toEqual(item);
      }
      expect(await store.range({})).toHaveLength(records.length);
      expect(() => old.transaction('items')).toThrow();
      await store.close();
      expect((await readRaw(name)).version).toBe(3);
    });

    test('is upgraded with what an old tab was just writing', async () => {
      const name = newName();
      const old = await version1(name, []);
      const writing = writeRaw(old, records);
      const store = indexedDBStore({ name });
      const [first] = await Promise.allSettled([keys({ collection: 'waiting shop ann' }, store), writing]);
      expect(first).toEqual({ status: 'fulfilled', value: '1,4,7' });
    });

    test('is upgraded quickly, whatever there is', async () => {
      const name = newName();
      const many = Array.from({ length: 2_000 }, (_, n) =>
        entry(n % 2 ? 'dead' : 'waiting', `user ${n % 3}`, `lane ${n % 7}`, `${n}`.padStart(5, '0')),
      );
      (await version1(name, many)).close();
      const store = indexedDBStore({ name });
      for (const state of ['waiting', 'dead']) {
        const counts = [0, 1, 2].map((n) => store.count({ collection: `${state} shop user%20${n}` }));
        expect((await Promise.all(counts)).reduce((sum, count) => sum + count)).toBe(1_000);
      }
      expect(await store.count({ group: 'dead shop user%201 lane%201' })).toBe(
        many.filter((_, n) => n % 2 === 1 && n % 3 === 1 && n % 7 === 1).length,
      );
    });

    test('that an old tab does not let go is refused with a reason, and upgraded when the tab has gone', async () => {
      const name = newName();
      const old = await version1(name, records);
      old.onversionchange = null;
      await connections(async (opened) => {
        const store = indexedDBStore({ name });
        await expect(store.get('totals shop')).rejects.toMatchObject({
          name: 'StorageError',
          code: 'storage',
          transient: true,
          message: expect.stringMatching(/held open by another tab with an older version of this page/),
        });
        old.close();
        expect(await keys({ collection: 'waiting shop ann' }, store)).toBe('1,4,7');
        await store.close();
        // The one that came late is the one that is used.
        expect(opened).toHaveLength(1);
        for (const each of opened) expect(() => each.transaction('items')).toThrow();
      });
    });

    test.each<[string, string, IDBObjectStore['put']]>([
      [
        'a call that throws',
        'QuotaExceededError',
        () => {
          throw new DOMException('disk full', 'QuotaExceededError');
        },
      ],
      [
        'a request that fails',
        'ConstraintError',
        function (this: IDBObjectStore, value) {
          return this.add(value);
        },
      ],
    ])('stays as it is where its upgrade fails with %s, and is tried again', async (_, cause, failing) => {
      const name = newName();
      (await version1(name, records)).close();
      const before = await readRaw(name);
      const store = indexedDBStore({ name });
      const { put } = IDBObjectStore.prototype;
      IDBObjectStore.prototype.put = failing;
      try {
        await expect(store.get('totals shop')).rejects.toMatchObject({
          name: 'StorageError',
          cause: { name: cause },
        });
      } finally {
        IDBObjectStore.prototype.put = put;
      }
      expect(await readRaw(name)).toEqual(before);
      expect(before.version).toBe(1);
      expect(await keys({ collection: 'waiting shop ann' }, store)).toBe('1,4,7');
    });

    test('that is not ours is left as it is', async () => {
      const name = newName();
      (await openRaw(name, 1, (database) => database.createObjectStore('theirs'))).close();
      await expect(indexedDBStore({ name }).get('a')).rejects.toMatchObject({
        name: 'StorageError',
        cause: { name: 'NotFoundError' },
      });
      expect(await readRaw(name)).toEqual({ version: 1, items: [] });
    });
  });

  describe('a newer version', () => {
    const refused = {
      name: 'StorageError',
      code: 'storage-newer',
      category: 'storage',
      transient: false,
      message: expect.stringMatching(/written by a newer version of this page; reloading the page helps/),
      cause: { name: 'VersionError' },
    };

    test('is refused, and left as it is', async () => {
      const name = newName();
      const item = { key: 'a', value: 'of the future' };
      const future = await openRaw(name, 4, (database) => {
        database.createObjectStore('items', { keyPath: 'key' });
        database.createObjectStore('bodies');
      });
      await writeRaw(future, [{ item }]);
      future.close();
      const store = indexedDBStore({ name });
      const change = () => ({ changes: [{ delete: 'a' }], result: 0 });
      const outcomes = await Promise.allSettled([
        store.get('a'),
        store.body('a'),
        store.range({}),
        store.wholes({}),
        store.groups(''),
        store.count({ group: 'g' }),
        store.write([{ delete: 'a' }]),
        store.write([{ put: { key: 'b', value: 1 }, body: new Blob(['b']) }]),
        store.change(['a'], change, { strict: true }),
        store.change(['a'], change, { strict: true }),
      ]);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: refused });
      await store.close();
      expect(await readRaw(name)).toEqual({ version: 4, items: [item] });
    });

    test('may take over from a page that is open, which is refused from then on', async () => {
      const name = newName();
      const store = indexedDBStore({ name });
      await store.write([{ put: { key: 'a', value: 1 } }]);
      const future = await openRaw(name, 4);
      await expect(store.get('a')).rejects.toMatchObject(refused);
      await expect(
        store.change(['a'], () => ({ changes: [{ delete: 'a' }], result: 0 }), { strict: true }),
      ).rejects.toMatchObject(refused);
      future.close();
      expect(await readRaw(name)).toMatchObject({ version: 4, items: [{ key: 'a', value: 1 }] });
    });
  });
});

test.skipIf(hasIndexedDB)('without IndexedDB every operation says so', async () => {
  await expect(indexedDBStore().get('a')).rejects.toThrow('there is no IndexedDB here');
});
