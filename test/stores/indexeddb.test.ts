import { describe, expect, test } from 'vitest';
import { StorageError } from '../../src/core/errors.ts';
import type { HoldfastEvent } from '../../src/core/events.ts';
import { createFetch, outbox } from '../../src/index.ts';
import { indexedDBStore } from '../../src/stores/indexeddb/indexeddb.ts';
import { storeContract } from '../contracts/store.ts';
import { newName, openRaw, readRaw, writeRaw } from '../support/databases.ts';

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
      expect(asked.at(-1)?.wanted).toBe('relaxed');
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

  test('opens again when the browser gives up an open, as it does when the user clears the site', () =>
    connections(async (opened) => {
      const open = IDBFactory.prototype.open;
      let isFirst = true;
      IDBFactory.prototype.open = function (...args) {
        const request = open.apply(this, args);
        // After the store's own listener.
        queueMicrotask(() =>
          request.addEventListener('upgradeneeded', () => {
            if (isFirst) request.transaction?.abort();
            isFirst = false;
          }),
        );
        return request;
      };
      const store = indexedDBStore({ name: newName() });
      await store.write([{ put: { key: 'a', value: 1 } }]);
      expect((await store.get('a'))?.value).toBe(1);
      expect([isFirst, opened.length]).toEqual([false, 1]);
    }));

  test('close() closes every connection: of two reads that open again at once, and after a late close event', () =>
    connections(async (opened) => {
      const isOpen = (database: IDBDatabase): boolean => {
        try {
          return database.transaction('items') !== undefined;
        } catch {
          return false;
        }
      };
      const store = indexedDBStore({ name: newName() });
      await store.get('a');
      opened[0]?.close();
      await Promise.all([store.get('a'), store.get('b')]);
      opened[0]?.onclose?.(new Event('close'));
      await store.get('a');
      await store.close();
      expect(opened.map(isOpen)).toEqual([false, false]);
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

  test('an outbox whose database is deleted while it is open emits storage-vanished, once', async () => {
    const name = newName();
    const events: HoldfastEvent[] = [];
    const client = createFetch({
      name,
      partition: 'ann',
      outbox: outbox({ store: indexedDBStore({ name }) }),
      onEvent: (event) => events.push(event),
      fetch: async () => new Response('ok'),
    });
    const write = () => client('https://api.example.com/', { method: 'POST', holdfast: { outbox: true } });
    await write();
    await new Promise((resolve) => {
      indexedDB.deleteDatabase(name).onsuccess = resolve;
    });
    await write();
    await write();
    expect(events.filter(({ type }) => type === 'storage-vanished')).toEqual([
      { type: 'storage-vanished', store: `indexeddb:${name}` },
    ]);
    await client.close();
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

  test('a database of another layout is refused, and left as it is', async () => {
    const name = newName();
    (await openRaw(name, 1, (database) => database.createObjectStore('theirs'))).close();
    await expect(indexedDBStore({ name }).get('a')).rejects.toMatchObject({
      name: 'StorageError',
      cause: { name: 'NotFoundError' },
    });
    expect(await readRaw(name)).toEqual({ version: 1, items: [] });
  });

  describe('another format', () => {
    const refused = {
      name: 'StorageError',
      code: 'storage-newer',
      category: 'storage',
      transient: false,
      message: expect.stringMatching(
        /of a newer page \(reload this one\), or of a preview of holdfast \(name another\)/,
      ),
      cause: { name: 'VersionError' },
    };

    test.each([
      ['of a newer page', 4],
      ['of a preview', 3],
    ])('%s is refused, and left as it is', async (_, version) => {
      const name = newName();
      const item = { key: 'a', value: 'of the future' };
      const future = await openRaw(name, version, (database) => {
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
        store.rangeWithBodies({}),
        store.groups(''),
        store.count({ group: 'g' }),
        store.write([{ delete: 'a' }]),
        store.write([{ put: { key: 'b', value: 1 }, body: new Blob(['b']) }]),
        store.change(['a'], change, { strict: true }),
        store.change(['a'], change, { strict: true }),
      ]);
      for (const outcome of outcomes) expect(outcome).toMatchObject({ status: 'rejected', reason: refused });
      await store.close();
      expect(await readRaw(name)).toEqual({ version, items: [item] });
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
