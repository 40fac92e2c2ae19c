import { afterEach, describe, expect, test } from 'vitest';
import { indexedDBStore } from '../../src/stores/indexeddb/indexeddb.ts';
import { newName, readRaw } from '../support/databases.ts';
import { quiet } from '../support/platform.ts';

const isPage = typeof globalThis.PageTransitionEvent === 'function';

const page = (type: 'pagehide' | 'pageshow', persisted = true): boolean =>
  dispatchEvent(new PageTransitionEvent(type, { persisted }));

describe.skipIf(!isPage)('a page that enters the back/forward cache', () => {
  afterEach(() => page('pageshow'));

  /** A write during which something happens; and how often it was decided. */
  async function write(during: () => void) {
    const name = newName();
    const store = indexedDBStore({ name });
    await store.get('open');
    let decided = 0;
    const result = store.change(['a'], () => {
      if (decided++ === 0) during();
      return { changes: [{ put: { key: 'a', value: decided }, body: null }], result: decided };
    });
    const stored = async () => (await readRaw(name)).items;
    return { store, result, stored };
  }

  test('a write that is open then is undone, and made when the page is back', async () => {
    const hidden = Promise.withResolvers<void>();
    const { result, stored } = await write(() => hidden.resolve(void page('pagehide')));
    await hidden.promise;
    await quiet();
    expect(await stored()).toEqual([]);
    page('pageshow');
    expect(await result).toBe(2);
    expect(await stored()).toMatchObject([{ key: 'a', value: 2 }]);
  });

  test('a write that commits then is not made again', async () => {
    const { put } = IDBObjectStore.prototype;
    IDBObjectStore.prototype.put = function (...args) {
      const request = put.apply(this, args);
      this.transaction.commit();
      page('pagehide');
      return request;
    };
    try {
      const { result } = await write(() => {});
      expect(await result).toBe(1);
    } finally {
      IDBObjectStore.prototype.put = put;
    }
  });

  test('a transaction begins when the page is back', async () => {
    const { store, result } = await write(() => {});
    await result;
    page('pagehide');
    const found: unknown[] = [];
    const reading = store.get('a').then((item) => found.push(item?.value));
    await quiet();
    expect(found).toEqual([]);
    page('pageshow');
    await reading;
    expect(found).toEqual([1]);
  });

  test('a write whose database is being opened then is made when the page is back', async () => {
    await write(() => {}).then(({ result }) => result);
    const { open } = IDBFactory.prototype;
    IDBFactory.prototype.open = function (...args) {
      const request = open.apply(this, args);
      page('pagehide');
      return request;
    };
    const name = newName();
    const stored = async () => (await readRaw(name)).items;
    const result = indexedDBStore({ name }).change(['a'], () => ({
      changes: [{ put: { key: 'a', value: 1 }, body: null }],
      result: 'written',
    }));
    await quiet();
    IDBFactory.prototype.open = open;
    expect(await stored()).toEqual([]);
    page('pageshow');
    expect(await result).toBe('written');
    expect(await stored()).toMatchObject([{ key: 'a', value: 1 }]);
  });

  test('a page that is left for good completes its writes', async () => {
    const { result } = await write(() => page('pagehide', false));
    expect(await result).toBe(1);
  });
});
