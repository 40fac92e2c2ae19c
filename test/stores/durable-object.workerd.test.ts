import { env } from 'cloudflare:workers';
import { describe, expect, test } from 'vitest';
import { durableObjectStore, type SqlDurableObjectStorage } from '../../src/cloudflare.ts';
import { type Change, type Item, isQuotaExceeded } from '../../src/core/store.ts';
import { needsLease } from '../../src/policies/outbox/queue/lease.ts';
import { storeContract } from '../contracts/store.ts';
import { faultyStorage } from '../support/faulty-storage.ts';
import { type InObject, newObject, storeIn } from '../support/in-object.ts';
import { deliversOnce, readsWithout, servesStale } from '../support/over-store.ts';

storeContract(() => {
  const object = newObject();
  return { store: storeIn(object), reopen: () => storeIn(object) };
});

const put = (key: string, value: unknown, more: Partial<Item> = {}): Change => ({
  put: { key, value, ...more },
});

const bytesOf = (length: number, seed: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).map((_, at) => (at * 7 + seed) % 251);

const inside = <T>(task: (storage: SqlDurableObjectStorage, object: InObject) => Promise<T>): Promise<T> => {
  const object = newObject();
  return object.run((storage) => task(storage, object));
};

const rowsOf = ({ sql }: SqlDurableObjectStorage, table: string): number =>
  sql.exec(`SELECT COUNT(*) AS count FROM ${table}`).toArray()[0]?.count as number;

test('a stale cache over it', () => inside((storage) => servesStale(() => durableObjectStore(storage))));

test('an outbox over it', () => inside((storage) => deliversOnce(() => durableObjectStore(storage))));

test('is there for the next instance of an object that was evicted', async () => {
  const object = newObject();
  const large = bytesOf(3_000_000, 1);
  await object.run((storage) =>
    durableObjectStore(storage).change(
      [],
      () => ({ changes: [{ ...put('a', 1, { group: 'g' }), body: large }], result: 0 }),
      { strict: true },
    ),
  );
  let first: SqlDurableObjectStorage | undefined;
  await object.run((storage) => {
    first = storage;
  });
  await object.evict();
  await object.run(async (storage) => {
    expect(storage).not.toBe(first);
    const store = durableObjectStore(storage);
    expect(await store.body('a')).toEqual(large);
    expect(await store.groups('')).toEqual(['g']);
  });
});

test('needs no lease: its lock is in memory, as an object is there once', () =>
  inside(async (storage) => expect(needsLease(durableObjectStore(storage))).toBe(false)));

describe('a body', () => {
  test('is kept in rows that are small enough', () =>
    inside(async (storage) => {
      const store = durableObjectStore(faultyStorage(storage));
      const large = bytesOf(5_000_000, 1);
      await store.write([{ ...put('a', 1), body: new Blob([large], { type: 'text/x' }) }]);
      const blob = (await store.body('a')) as Blob;
      expect([blob.type, new Uint8Array(await blob.arrayBuffer())]).toEqual(['text/x', large]);
      expect(rowsOf(storage, 'holdfast_bodies')).toBe(5);
      await store.write([{ ...put('a', 2), body: bytesOf(1_000_001, 2) }]);
      expect(rowsOf(storage, 'holdfast_bodies')).toBe(2);
      expect(await store.body('a')).toEqual(bytesOf(1_000_001, 2));
      await store.write([{ delete: 'a' }]);
      expect(rowsOf(storage, 'holdfast_bodies')).toBe(0);
    }));

  test.each([0, 1, 999_999, 1_000_000])('of %i bytes is what it was', (length) =>
    inside(async (storage) => {
      const store = durableObjectStore(storage);
      await store.write([{ ...put('a', 1), body: bytesOf(length, 3) }]);
      expect(await store.body('a')).toEqual(bytesOf(length, 3));
    }),
  );

  test.each([0, 1, 2])('of which part %i is missing is not there, and never half of it', (part) =>
    inside(async (storage) => {
      const store = durableObjectStore(storage);
      await store.write([{ ...put('a', 1), body: bytesOf(2_500_000, 1) }]);
      storage.sql.exec('DELETE FROM holdfast_bodies WHERE part = ?', part);
      expect(await store.body('a')).toBeUndefined();
      expect(await store.rangeWithBodies({ prefix: 'a' })).toEqual([{ key: 'a', value: 1, body: undefined }]);
      await store.write([{ ...put('a', 2), body: 'again' }]);
      expect(await store.body('a')).toBe('again');
    }),
  );
});

describe('a change', () => {
  test('is all or nothing, whichever of its statements fails', () =>
    inside(async (storage) => {
      await durableObjectStore(storage).write([
        { ...put('a', 'old', { group: 'old' }), body: 'old body' },
        put('b', 'old', { collection: 'old' }),
      ]);
      for (let failing = 1, isOver = false; !isOver; failing++) {
        let statements = 0;
        const store = durableObjectStore(
          faultyStorage(storage, {
            exec() {
              if (++statements === failing) throw new Error('disk I/O error: SQLITE_IOERR');
            },
          }),
        );
        const change = store.change(['a', 'b'], () => ({
          changes: [
            { ...put('a', 'new', { group: 'new' }), body: bytesOf(1_500_000, 1) },
            { delete: 'b' },
            put('c', 'new'),
          ],
          result: 'made',
        }));
        const outcome = await change.catch((error) => error);
        const after = durableObjectStore(storage);
        isOver = outcome === 'made';
        if (!isOver)
          expect(outcome).toMatchObject({
            name: 'StorageError',
            message: expect.stringMatching(/SQLITE_IOERR/),
          });
        const now = await after.range({});
        expect(now.map(({ key, value }) => `${key} ${value}`)).toEqual(
          isOver ? ['a new', 'c new'] : ['a old', 'b old'],
        );
        expect(await after.body('a')).toEqual(isOver ? bytesOf(1_500_000, 1) : 'old body');
        expect(await after.groups('')).toEqual([isOver ? 'new' : 'old']);
        expect(await after.count({ collection: 'old' })).toBe(isOver ? 0 : 1);
        if (isOver) expect(failing).toBeGreaterThan(8);
      }
    }));

  test('settles with strict durability when it is on the disk, and fails where it does not get there', () =>
    inside(async (storage) => {
      const asked: string[] = [];
      let fails = false;
      const store = durableObjectStore(
        faultyStorage(storage, {
          async sync() {
            asked.push(`${rowsOf(storage, 'holdfast_items')} rows`);
            if (fails) throw new Error('storage is gone');
          },
        }),
      );
      const change = (key: string, strict: boolean) =>
        store.change([], () => ({ changes: [put(key, 1)], result: key }), { strict });
      await change('a', true);
      await change('b', false);
      await store.write([put('c', 1)]);
      expect(asked).toEqual(['1 rows']);
      fails = true;
      await expect(change('d', true)).rejects.toMatchObject({
        name: 'StorageError',
        code: 'storage-unknown',
      });
    }));

  test('of two at once with blobs is decided by what the first has left', () =>
    inside(async (storage) => {
      const store = durableObjectStore(storage);
      const add = () =>
        store.change(['sum'], ([found]) => {
          const sum = ((found?.value as number | undefined) ?? 0) + 1;
          return { changes: [{ ...put('sum', sum), body: blob }], result: sum };
        });
      const blob = new Blob(['x']);
      const sums = await Promise.all(Array.from({ length: 20 }, add));
      expect(sums.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, at) => at + 1));
    }));

  test('with an item that is too large writes nothing, and says what is allowed', () =>
    inside(async (storage) => {
      const store = durableObjectStore(faultyStorage(storage));
      await store.write([put('largest', '€'.repeat(599_000))]);
      await expect(store.write([put('small', 1), put('large', 'x'.repeat(1_900_000))])).rejects.toMatchObject(
        {
          name: 'StorageError',
          transient: false,
          message: expect.stringMatching(/an item of \d+ bytes with its keys is more than 1900000/),
        },
      );
      expect((await store.range({})).map(({ key }) => key)).toEqual(['largest']);
    }));
});

test('a full object fails like a full disk, so that a cache makes room', () =>
  inside(async (storage) => {
    const store = durableObjectStore(
      faultyStorage(storage, {
        exec(query) {
          if (query.startsWith('INSERT INTO "holdfast_items"'))
            throw new Error('database or disk is full: SQLITE_FULL');
        },
      }),
    );
    const error = await store.write([put('a', 1)]).catch((error) => error);
    expect(error).toMatchObject({ name: 'StorageError' });
    expect(isQuotaExceeded(error)).toBe(true);
  }));

test('a cache over an object whose storage fails goes on without it', () =>
  inside(async (storage) => {
    const exec = (): void => {
      throw new Error('Durable Object storage operation exceeded timeout which caused object to be reset.');
    };
    expect(await readsWithout(durableObjectStore(faultyStorage(storage, { exec })))).toMatchObject({
      type: 'store-failed',
      error: { name: 'StorageError' },
    });
  }));

test('stores of different names do not meet, nor the application’s own tables', () =>
  inside(async (storage) => {
    storage.sql.exec('CREATE TABLE items (key TEXT)');
    const [one, other] = ['one', 'other'].map((name) => durableObjectStore(storage, { name }));
    await one?.write([put('a', 1)]);
    expect(await other?.get('a')).toBeUndefined();
    expect((await one?.get('a'))?.value).toBe(1);
    expect(rowsOf(storage, 'items')).toBe(0);
  }));

test('entries of a newer version are refused, and left as they are', () =>
  inside(async (storage) => {
    await durableObjectStore(storage).write([put('a', 1)]);
    storage.sql.exec('UPDATE holdfast_version SET version = 2');
    const store = durableObjectStore(storage);
    const refused = { name: 'StorageError', code: 'storage-newer', transient: false };
    await expect(store.get('a')).rejects.toMatchObject(refused);
    await expect(store.write([{ delete: 'a' }])).rejects.toMatchObject(refused);
    expect(rowsOf(storage, 'holdfast_items')).toBe(1);
  }));

test('a storage that cannot be meant is refused', async () => {
  expect(() => durableObjectStore(undefined as never)).toThrow(
    'durableObjectStore.storage: undefined is not allowed; expected the storage of a SQLite Durable Object: ctx.storage',
  );
  expect(() => durableObjectStore({ transactionSync() {}, sync() {} } as never)).toThrow(
    /durableObjectStore.storage: .*expected the storage of a SQLite Durable Object; its class has to be in new_sqlite_classes/,
  );
  await inside(async (storage) => {
    expect(() => durableObjectStore(storage, { name: 'a-b' })).toThrow(/durableObjectStore.name: 'a-b'/);
    expect(() => durableObjectStore(storage, { nmae: 'a' } as never)).toThrow(/unknown option; known: name/);
  });
  await newObject(env.BOX_WITHOUT_SQL).run(async (storage) => {
    await expect((async () => durableObjectStore(storage).get('a'))()).rejects.toThrow(/SQL/);
  });
});
