import { describe, expect, onTestFinished, test } from 'vitest';
import { createFetch } from '../../src/client/fetch.ts';
import { systemHost } from '../../src/core/host.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { deviceKey, encryptWith } from '../../src/stores/encryption.ts';
import { indexedDBStore } from '../../src/stores/indexeddb/indexeddb.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { newName } from '../support/databases.ts';

const hasIndexedDB = typeof globalThis.indexedDB === 'object';

const plain = new TextEncoder().encode('secret');

describe.skipIf(!hasIndexedDB)('a key of the device', () => {
  test('is made once, and is there for the next page', async () => {
    const name = newName();
    const sealed = await encryptWith(deviceKey({ name })).encrypt(plain, 'here');
    expect(await encryptWith(deviceKey({ name })).decrypt(sealed, 'here')).toEqual(plain);
    await expect(encryptWith(deviceKey({ name: newName() })).decrypt(sealed, 'here')).rejects.toThrow();
  });

  test('is the same for all that ask at once', async () => {
    const name = newName();
    const codecs = Array.from({ length: 5 }, () => encryptWith(deviceKey({ name })));
    const sealed = await Promise.all(codecs.map((codec) => codec.encrypt(plain, 'here')));
    for (const each of sealed) expect(await codecs[0]?.decrypt(each, 'here')).toEqual(plain);
  });

  test('is given out only when it is stored', async () => {
    const name = newName();
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (this: IDBObjectStore, ...given) {
      const request = put.apply(this, given);
      // As a full disk at the commit.
      request.addEventListener('success', () => this.transaction.abort());
      return request;
    };
    try {
      await expect(encryptWith(deviceKey({ name })).encrypt(plain, 'here')).rejects.toThrow();
    } finally {
      IDBObjectStore.prototype.put = put;
    }
    const sealed = await encryptWith(deviceKey({ name })).encrypt(plain, 'here');
    expect(await encryptWith(deviceKey({ name })).decrypt(sealed, 'here')).toEqual(plain);
  });

  test('is committed with strict durability: without it, nothing that it encrypted can be read', async () => {
    const { transaction } = IDBDatabase.prototype;
    const wanted: unknown[] = [];
    IDBDatabase.prototype.transaction = function (this: IDBDatabase, ...given) {
      if (given[1] === 'readwrite') wanted.push(given[2]?.durability);
      return transaction.apply(this, given);
    };
    onTestFinished(() => {
      IDBDatabase.prototype.transaction = transaction;
    });
    await deviceKey({ name: newName() })();
    expect(wanted).toEqual(['strict']);
  });

  test('is the same for writes that a page accepts after the user has cleared the site', async () => {
    const [database, name] = [newName(), newName()];
    const host = { ...systemHost, connectivity: { state: false, subscribe: () => () => {} } };
    const open = () => {
      const encryption = encryptWith(deviceKey({ name }));
      const box = outboxPolicy({ store: indexedDBStore({ name: database }), encryption }, memoryStore);
      return { box, fetch: createFetch({ name, partition: 'public', outbox: box, host }) };
    };
    const write = (body: string) =>
      before.fetch('https://api.example.com/', { method: 'POST', body, holdfast: { outbox: { id: body } } });
    const before = open();
    await write('a');
    for (const each of [database, name])
      await new Promise((done) => {
        indexedDB.deleteDatabase(each).onsuccess = done;
      });
    await write('b');
    await before.fetch.close();
    const after = open();
    const entries = await after.box.entries();
    expect(entries.map(({ id, unreadable }) => [id, unreadable])).toEqual([['b', undefined]]);
    await after.fetch.close();
  });

  test('cannot be read by scripts', async () => {
    const key = await deviceKey({ name: newName() })();
    expect(key.extractable).toBe(false);
    await expect(crypto.subtle.exportKey('raw', key as CryptoKey)).rejects.toThrow();
  });

  test('opens nothing elsewhere than where it was sealed', async () => {
    const codec = encryptWith(deviceKey({ name: newName() }));
    await expect(codec.decrypt(await codec.encrypt(plain, 'here'), 'there')).rejects.toThrow();
  });
});

test.skipIf(hasIndexedDB)('without IndexedDB there is nowhere to keep a key', async () => {
  await expect(deviceKey()()).rejects.toThrow('there is no IndexedDB here');
});

test('an option that cannot be meant is refused', () => {
  expect(() => deviceKey({ nmae: 'x' } as never)).toThrow(/deviceKey.nmae: 'x' is not allowed/);
});
