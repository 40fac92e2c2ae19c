import { afterEach, describe, expect, test } from 'vitest';
import { StorageError } from '../../src/core/errors.ts';
import { openDatabase } from '../../src/stores/idb-connection.ts';
import { createLayout } from '../../src/stores/idb-layout.ts';
import { indexedDBStore } from '../../src/stores/indexeddb.ts';
import { storeContract } from '../contracts/store.ts';

const hasIndexedDB = typeof globalThis.indexedDB === 'object';
const names: string[] = [];
const newName = (): string => {
  const name = `test-${crypto.randomUUID()}`;
  names.push(name);
  return name;
};

describe.skipIf(!hasIndexedDB)('IndexedDB', () => {
  afterEach(() => {
    for (const name of names.splice(0)) indexedDB.deleteDatabase(name);
  });

  storeContract(() => {
    const name = newName();
    return { store: indexedDBStore({ name }), reopen: () => indexedDBStore({ name }) };
  });

  test('asks for strict durability where it is wanted, and only there', async () => {
    const asked: unknown[] = [];
    const native = IDBDatabase.prototype.transaction;
    IDBDatabase.prototype.transaction = function (...args) {
      const transaction = native.apply(this, args);
      if (args[1] === 'readwrite') asked.push(args[2]?.durability);
      return transaction;
    };
    try {
      const store = indexedDBStore({ name: newName() });
      await store.change([], () => ({ changes: [{ put: { key: 'a', value: 1 } }], result: 0 }), {
        strict: true,
      });
      await store.write([{ put: { key: 'b', value: 1 } }]);
      expect(asked).toEqual(['strict', undefined]);
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

  test('opens again when the connection was closed under it', async () => {
    const name = newName();
    const open = IDBFactory.prototype.open;
    const databases: IDBDatabase[] = [];
    IDBFactory.prototype.open = function (...args) {
      const request = open.apply(this, args);
      request.addEventListener('success', () => databases.push(request.result));
      return request;
    };
    try {
      const store = indexedDBStore({ name });
      await store.write([{ put: { key: 'a', value: 1 } }]);
      databases[0]?.close();
      expect((await store.get('a'))?.value).toBe(1);
      expect(databases).toHaveLength(2);
    } finally {
      IDBFactory.prototype.open = open;
    }
  });

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

  test('a database of a newer version is refused with a reason', async () => {
    const name = newName();
    await new Promise((resolve) => {
      const request = indexedDB.open(name, 99);
      request.onsuccess = () => {
        request.result.close();
        resolve(undefined);
      };
    });
    await expect(indexedDBStore({ name }).get('a')).rejects.toMatchObject({
      code: 'storage',
      name: 'StorageError',
    });
  });

  test('an open that another tab blocks is refused with a reason, and works when the tab has gone', async () => {
    const name = newName();
    const older = await new Promise<IDBDatabase>((resolve) => {
      const request = indexedDB.open(name, 1);
      request.onsuccess = () => resolve(request.result);
    });
    const newer = openDatabase(name, 2, createLayout);
    const use = () => newer.transaction(['items'], 'readonly', undefined, () => 'used');
    await expect(use()).rejects.toThrow(/held open by another tab/);
    older.close();
    expect(await use()).toBe('used');
    await newer.close();
  });
});

test.skipIf(hasIndexedDB)('without IndexedDB every operation says so', async () => {
  await expect(indexedDBStore().get('a')).rejects.toThrow('there is no IndexedDB here');
});
