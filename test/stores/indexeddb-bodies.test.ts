/** Small bodies lie within their items and others apart: what is read must not tell, and nothing may be left behind. */
import { describe, expect, test } from 'vitest';
import type { AtomicStore, Change, StoredBody } from '../../src/core/store.ts';
import { indexedDBStore } from '../../src/stores/indexeddb/indexeddb.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { chance } from '../../tools/misbehaving-server/chance.ts';
import { newName, openRaw } from '../support/databases.ts';

const hasIndexedDB = typeof globalThis.indexedDB === 'object';

const SMALL = 'x'.repeat(4_096);
const LARGE = 'x'.repeat(4_097);
const bytes = (length: number): Uint8Array<ArrayBuffer> => new Uint8Array(length).fill(7);

/** The keys of bodies stored apart, and of items that may have one. */
async function apart(name: string): Promise<{ bodies: string[]; without: string[] }> {
  const database = await openRaw(name);
  const transaction = database.transaction(['items', 'bodies']);
  const bodies = transaction.objectStore('bodies').getAllKeys();
  const items = transaction.objectStore('items').getAll();
  await new Promise((done) => {
    transaction.oncomplete = done;
  });
  database.close();
  const without = (items.result as { key: string }[]).filter((item) => !('body' in item));
  return { bodies: bodies.result.map(String), without: without.map(({ key }) => key) };
}

const put = (key: string, body?: StoredBody | null): Change => ({
  put: { key, group: 'g', value: key },
  body,
});

const changed = (store: AtomicStore, keys: string[], ...changes: Change[]): Promise<unknown> =>
  store.change(keys, () => ({ changes, result: undefined }));

describe.skipIf(!hasIndexedDB)('bodies in IndexedDB', () => {
  test.each([
    ['a small text', SMALL, []],
    ['a large text', LARGE, ['a']],
    ['a few bytes', bytes(4_096), []],
    ['many bytes', bytes(4_097), ['a']],
    ['an empty text', '', []],
  ])('%s is read as it was written, and by no list', async (_, body, where) => {
    const name = newName();
    const store = indexedDBStore({ name });
    await changed(store, [], put('a', body));
    const item = { key: 'a', group: 'g', value: 'a' };
    expect(await store.body('a')).toEqual(body);
    expect(await store.rangeWithBodies({})).toEqual([{ ...item, body }]);
    expect(await store.rangeWithBodies({ prefix: 'a' })).toEqual([{ ...item, body }]);
    expect(await store.get('a')).toEqual(item);
    expect(await store.range({ group: 'g' })).toEqual([item]);
    const found = await store.change(['a'], ([found]) => ({ changes: [], result: found }));
    expect(found).toEqual(item);
    expect((await apart(name)).bodies).toEqual(where);
  });

  test.each([10, 10_000])(
    'of %i bytes are not written with the whole buffer that they are a part of',
    async (length) => {
      const store = indexedDBStore({ name: newName() });
      await changed(store, [], put('a', bytes(100_000).subarray(5, 5 + length)));
      const body = (await store.body('a')) as Uint8Array;
      expect(body).toEqual(bytes(length));
      expect(body.buffer.byteLength).toBe(length);
    },
  );

  test.each([1, 2, 3, 4])(
    'are those of a store that keeps all of them alike, whatever was written before (seed %i)',
    async (seed) => {
      const name = newName();
      const model = memoryStore();
      const store = indexedDBStore({ name });
      const KEYS = ['a', 'b', 'c'];
      const BODIES = [
        undefined,
        undefined,
        null,
        'small',
        LARGE,
        bytes(10),
        bytes(5_000),
        new Blob(['blob']),
      ];
      let nth = 0;
      const pick = <T>(from: readonly T[]): T =>
        from[Math.floor(chance(seed, 'bodies', nth++) * from.length)] as T;
      for (let step = 0; step < 60; step++) {
        const changes = Array.from({ length: pick([1, 1, 2, 3]) }, (): Change => {
          const key = pick(KEYS);
          return pick([true, false, false, false]) ? { delete: key } : put(key, pick(BODIES));
        });
        const read = KEYS.filter(() => pick([true, false]));
        const way = pick(['write', 'change', 'at once']);
        for (const each of [model, store]) {
          if (way === 'write') await each.write(changes);
          else if (way === 'change') await changed(each, read, ...changes);
          else await Promise.all(changes.map((change) => changed(each, read, change)));
        }
        const [expected, found] = await Promise.all([model, store].map((each) => each.rangeWithBodies({})));
        expect(await legible(found)).toEqual(await legible(expected));
        for (const key of KEYS)
          expect(await text(await store.body(key))).toBe(await text(await model.body(key)));
      }
      const { bodies, without } = await apart(name);
      expect(without).toEqual(expect.arrayContaining(bodies));
    },
  );

  test('are not left behind where what is new follows what is deleted with it', async () => {
    const name = newName();
    const store = indexedDBStore({ name });
    await changed(store, [], put('a', LARGE));
    await Promise.all([
      changed(store, [], { delete: 'a' }),
      changed(store, [], { put: { key: 'a', value: 1 }, body: 'small', isNew: true }),
    ]);
    expect(await store.body('a')).toBe('small');
    expect(await apart(name)).toEqual({ bodies: [], without: [] });
  });

  test('are asked for no more often than there is need', async () => {
    const store = indexedDBStore({ name: newName() });
    await changed(store, [], { put: { key: 'a', value: 1 }, body: SMALL });
    const asked: string[] = [];
    const natives = (['get', 'getAll', 'put', 'delete'] as const).map((method) => {
      const native = IDBObjectStore.prototype[method];
      IDBObjectStore.prototype[method] = function (this: IDBObjectStore, ...args: unknown[]) {
        asked.push(`${method} ${this.name}`);
        return (native as (...args: unknown[]) => IDBRequest).apply(this, args);
      } as never;
      return () => {
        IDBObjectStore.prototype[method] = native as never;
      };
    });
    try {
      await store.rangeWithBodies({});
      expect(asked.splice(0)).toEqual(['getAll items']);
      await changed(store, ['a'], { delete: 'a' });
      expect(asked.splice(0)).toEqual(['get items', 'delete items']);
      await changed(store, [], { put: { key: 'b', value: 1 }, body: SMALL, isNew: true });
      expect(asked.splice(0)).toEqual(['put items']);
      await changed(store, ['b'], { put: { key: 'b', value: 2 } });
      expect(asked.splice(0)).toEqual(['get items', 'put items']);
      await changed(store, [], { put: { key: 'c', value: 1 }, isNew: true });
      await changed(store, ['c'], { delete: 'c' });
      expect(asked.splice(0)).toEqual(['put items', 'get items', 'delete items']);
    } finally {
      for (const restore of natives) restore();
    }
    expect(await store.body('b')).toBe(SMALL);
  });
});

const text = (body: StoredBody | undefined): Promise<string | undefined> =>
  body === undefined ? Promise.resolve(undefined) : new Response(body).text();

const legible = (rangeWithBodies: Awaited<ReturnType<AtomicStore['rangeWithBodies']>> = []) =>
  Promise.all(rangeWithBodies.map(async ({ body, ...item }) => ({ ...item, body: await text(body) })));
