import { afterAll, describe, expect, test } from 'vitest';
import type { AtomicStore, Change, Item } from '../../src/core/store.ts';
import { type DenoKv, type DenoKvAtomic, type DenoKvKey, denoKvStore } from '../../src/deno.ts';
import { needsLease } from '../../src/policies/outbox/queue/lease.ts';
import { kvConnection } from '../../src/stores/deno-kv/connection.ts';
import { bodiesIn, kvKeys } from '../../src/stores/deno-kv/layout.ts';
import { storeContract } from '../contracts/store.ts';
import { deliversOnce, readsWithout, servesStale } from '../support/over-store.ts';

declare const Deno: {
  openKv(path?: string): Promise<DenoKv>;
  readonly env: { get(name: string): string | undefined };
};

/** On the disk, and open twice: SQLite lets one write at a time. */
const path = `${Deno.env.get('HOLDFAST_TEST_FOLDER')}/kv.db`;
const kv = await Deno.openKv(path);
const other = await Deno.openKv(path);
afterAll(() => {
  kv.close();
  other.close();
});

let made = 0;
const newName = (): string => `test ${++made}`;

storeContract(() => {
  const name = newName();
  const open = (): AtomicStore => denoKvStore(() => Deno.openKv(path), { name });
  const store = open();
  opened.push(store);
  return {
    store,
    reopen: () => {
      const again = open();
      opened.push(again);
      return again;
    },
  };
});
const opened: AtomicStore[] = [];
afterAll(() => Promise.all(opened.map((store) => store.close())));

const put = (key: string, value: unknown, more: Partial<Item> = {}): Change => ({
  put: { key, value, ...more },
});

const bytesOf = (length: number, seed: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).map((_, at) => (at * 7 + seed) % 251);

async function keysOf(name: string, what: string): Promise<DenoKvKey[]> {
  const keys: DenoKvKey[] = [];
  const selector = { start: [name, what], end: [name, `${what}\u0000`] };
  for await (const { key } of kv.list(selector, { limit: 100_000, batchSize: 500 }))
    keys.push(key as DenoKvKey);
  return keys;
}

async function stateOf(name: string): Promise<{ readonly job?: object } | null> {
  const [state] = await kv.getMany([[name, 'state']]);
  return state?.value as { readonly job?: object } | null;
}

/** How much there is of everything that a store writes. */
async function written(name: string): Promise<Record<string, number>> {
  const found: Record<string, number> = {};
  for (const what of ['state', 'item', 'group', 'collection', 'body', 'loose', 'writing']) {
    const { length } = await keysOf(name, what);
    if (length > 0) found[what] = length;
  }
  return found;
}

test('a stale cache over it serves what another process has stored', () => {
  const name = newName();
  let turn = 0;
  return servesStale(() => denoKvStore([kv, other][turn++ % 2] as DenoKv, { name }));
});

test('an outbox over it delivers what was accepted before it was closed, and opened again', () => {
  const name = newName();
  return deliversOnce(() => denoKvStore(() => Deno.openKv(path), { name }));
});

test('says that processes which share it share no locks', () => {
  expect(needsLease(denoKvStore(kv))).toBe(true);
});

describe('a body', () => {
  test('may be large, and goes with its item', async () => {
    const name = newName();
    const store = denoKvStore(kv, { name });
    const [large, larger] = [bytesOf(5_000_000, 1), bytesOf(1_000_000, 2)];
    await store.write([{ ...put('a', 1), body: large }]);
    expect(await denoKvStore(other, { name }).body('a')).toEqual(large);
    await store.write([{ ...put('a', 2), body: new Blob([larger], { type: 'text/x' }) }]);
    const blob = (await store.body('a')) as Blob;
    expect([blob.type, new Uint8Array(await blob.arrayBuffer())]).toEqual(['text/x', larger]);
    await store.write([put('a', 3)]);
    expect(((await store.body('a')) as Blob).size).toBe(1_000_000);
    await store.write([{ delete: 'a' }]);
    await store.close();
    expect(await written(name)).toEqual({ state: 1 });
  });

  test.each([0, 1, 63_999, 64_000, 64_001, 128_000, 768_001])(
    'of %i bytes is what it was',
    async (length) => {
      const store = denoKvStore(kv, { name: newName() });
      const bytes = bytesOf(length, 3);
      await store.write([{ ...put('a', 1), body: bytes }]);
      expect(await store.body('a')).toEqual(bytes);
      expect((await store.rangeWithBodies({ prefix: 'a' }))[0]?.body).toEqual(bytes);
    },
  );

  test.each([0, 3])('of which part %i is missing is not there, and never half of it', async (part) => {
    const name = newName();
    const store = denoKvStore(kv, { name });
    await store.write([{ ...put('a', 1), body: bytesOf(300_000, 1) }]);
    const parts = await keysOf(name, 'body');
    expect(parts).toHaveLength(5);
    await kv
      .atomic()
      .delete(parts[part] as DenoKvKey)
      .commit();
    expect(await store.body('a')).toBeUndefined();
    expect(await store.rangeWithBodies({ prefix: 'a' })).toEqual([{ key: 'a', value: 1, body: undefined }]);
    await store.write([{ ...put('a', 2), body: 'again' }]);
    expect(await store.body('a')).toBe('again');
  });

  test('that is replaced while it is read is the one or the other', async () => {
    const name = newName();
    const [store, writer] = [denoKvStore(kv, { name }), denoKvStore(other, { name })];
    const write = (seed: number): Promise<void> =>
      writer.write([{ ...put('a', seed), body: bytesOf(200_000, seed) }]);
    await write(0);
    let over = false;
    const writing = (async () => {
      for (let seed = 1; seed <= 12; seed++) await write(seed);
      over = true;
    })();
    while (!over) {
      const [whole] = await store.rangeWithBodies({ prefix: 'a' });
      expect(whole?.body).toEqual(bytesOf(200_000, whole?.value as number));
      expect(((await store.body('a')) as Uint8Array).length).toBe(200_000);
    }
    await writing;
  }, 30_000);
});

describe('a change', () => {
  const add = ([found]: readonly (Item | undefined)[]) => {
    const sum = ((found?.value as number | undefined) ?? 0) + 1;
    return { changes: [put('sum', sum, { group: `g ${sum % 3}` })], result: sum };
  };

  test('of two processes at once is decided anew, and none is lost', async () => {
    const name = newName();
    const stores = [denoKvStore(kv, { name }), denoKvStore(other, { name })];
    const sums = await Promise.all(
      stores.map(async (store) => {
        const found: number[] = [];
        for (let n = 0; n < 100; n++) found.push(await store.change(['sum'], add));
        return found;
      }),
    );
    expect(sums.flat().sort((a, b) => a - b)).toEqual(Array.from({ length: 200 }, (_, at) => at + 1));
    expect((await stores[0]?.get('sum'))?.value).toBe(200);
    expect(await stores[1]?.count({ group: 'g 2' })).toBe(1);
  }, 30_000);

  test('that is asked for with others at once is committed with them', async () => {
    let commits = 0;
    const counting: DenoKv = {
      close() {},
      getMany: (keys) => kv.getMany(keys),
      list: (selector, options) => kv.list(selector, options),
      atomic() {
        commits++;
        return kv.atomic();
      },
    };
    const store = denoKvStore(counting, { name: newName() });
    await Promise.all(Array.from({ length: 50 }, () => store.change(['sum'], add)));
    expect(commits).toBe(1);
    expect((await store.get('sum'))?.value).toBe(50);
  });

  test('may be larger than one operation of Deno KV, and is one all the same', async () => {
    const name = newName();
    const store = denoKvStore(kv, { name });
    const keys = Array.from({ length: 3_000 }, (_, n) => `response ann https://example.com/${n} `);
    await store.write(keys.map((key, n) => put(key, n, { group: `g ${n % 10}`, collection: 'c' })));
    expect(await store.count({ collection: 'c' })).toBe(3_000);
    const found = await store.change(keys, (items) => ({
      changes: [...keys.map((key) => ({ delete: key })), put('left', 1)],
      result: items.filter((item) => item !== undefined).length,
    }));
    expect(found).toBe(3_000);
    expect(await store.range({})).toEqual([{ key: 'left', value: 1 }]);
    expect(await store.groups('')).toEqual([]);
    await store.close();
    expect(await written(name)).toEqual({ state: 1, item: 1 });
  }, 30_000);

  test('with an item that is too large writes nothing, and says what is allowed', async () => {
    const store = denoKvStore(kv, { name: newName() });
    const large = put('large', 'x'.repeat(64_001));
    await expect(store.write([put('small', 1), large])).rejects.toMatchObject({
      name: 'StorageError',
      transient: false,
      message: expect.stringMatching(/an item of \d+ bytes is more than 64000/),
    });
    expect(await store.range({})).toEqual([]);
    const outcomes = await Promise.allSettled([
      store.write([put('small', 1)]),
      store.write([large]),
      store.write([{ ...put('other', 2), body: bytesOf(200_000, 1) }]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
    expect((await store.range({})).map(({ key }) => key)).toEqual(['other', 'small']);
  });

  /** The database of a process that dies at one of its commits: before it is made, or after it and before the reply. */
  function mortal(
    at: number,
    when: 'before' | 'after',
  ): { readonly kv: DenoKv; readonly isDead: () => boolean } {
    let commits = 0;
    let isDead = false;
    const alive = <T>(value: T): T => {
      if (isDead) throw new Error('it is dead');
      return value;
    };
    const mourned = (atomic: DenoKvAtomic): DenoKvAtomic => ({
      check: (check) => mourned(atomic.check(check)),
      set: (key, value, options) => mourned(atomic.set(key, value, options)),
      delete: (key) => mourned(atomic.delete(key)),
      async commit() {
        alive(undefined);
        const isLast = ++commits === at;
        if (isLast && when === 'before') isDead = true;
        const result = await alive(atomic).commit();
        if (isLast) isDead = true;
        return alive(result);
      },
    });
    return {
      isDead: () => isDead,
      kv: {
        close() {},
        getMany: async (keys) => alive(await kv.getMany(keys)),
        list: (selector, options) => alive(kv).list(selector, options),
        atomic: () => mourned(kv.atomic()),
      },
    };
  }

  const before = Array.from({ length: 600 }, (_, n) => `key ${n}`);
  const oldBody = bytesOf(150_000, 1);
  const newBody = bytesOf(250_000, 2);

  test.each(['before', 'after'] as const)(
    'is all or nothing, whichever commit a process dies %s of',
    async (when) => {
      for (let at = 1; ; at++) {
        const name = newName();
        const healthy = denoKvStore(kv, { name });
        await healthy.write(before.map((key) => put(key, 'old', { group: 'old' })));
        await healthy.write([{ ...put('body', 'old', { group: 'old' }), body: oldBody }]);
        const process = mortal(at, when);
        const dying = denoKvStore(process.kv, { name });
        const changed = await dying
          .change(['body'], () => ({
            changes: [
              ...before.map((key) => ({ delete: key })),
              { ...put('body', 'new', { group: 'new' }), body: newBody },
            ],
            result: 0,
          }))
          .then(
            () => true,
            () => false,
          );

        await dying.close();

        const next = denoKvStore(other, { name });
        const isNew = (await next.get('body'))?.value === 'new';
        // A change that was reported as made was made.
        if (changed) expect(isNew).toBe(true);
        expect(await next.body('body')).toEqual(isNew ? newBody : oldBody);
        expect(await next.count({ group: 'old' })).toBe(isNew ? 0 : before.length + 1);
        expect(await next.range({ prefix: 'key ' })).toHaveLength(isNew ? 0 : before.length);
        expect(await next.groups('')).toEqual([isNew ? 'new' : 'old']);

        // After ten minutes no writer counts as alive.
        for (const key of await keysOf(name, 'writing')) await kv.atomic().delete(key).commit();
        const last = denoKvStore(other, { name });
        await last.write([{ delete: 'nothing' }]);
        await last.close();
        expect(await written(name)).toEqual(
          isNew ? { state: 1, item: 1, group: 1, body: 4 } : { state: 1, item: 601, group: 601, body: 3 },
        );
        if (process.isDead()) continue;
        expect(changed).toBe(true);
        return expect(at).toBeGreaterThan(10);
      }
    },
    60_000,
  );

  /** A committed change of a dead process, of which nothing was carried out. */
  async function leftToBeCarriedOut(name: string, keys: readonly string[]): Promise<void> {
    for (let at = 1; ; at++) {
      const process = mortal(at, 'after');
      const dying = denoKvStore(process.kv, { name });
      await dying.write(keys.map((key) => put(key, 'made'))).catch(() => {});
      await dying.close();
      if (!process.isDead()) throw new Error('there was no such moment');
      if ((await stateOf(name))?.job) return;
    }
  }

  /** Another process opens the database, long after the last write. */
  async function sweepLater(name: string): Promise<void> {
    for (const key of await keysOf(name, 'writing')) await kv.atomic().delete(key).commit();
    await bodiesIn(kvConnection(other, 'test'), kvKeys(name)).sweep();
  }

  test('that was left to be carried out is kept until it is', async () => {
    const name = newName();
    const keys = Array.from({ length: 1_000 }, (_, n) => `key ${n}`);
    await leftToBeCarriedOut(name, keys);
    await sweepLater(name);
    expect(await denoKvStore(other, { name }).range({})).toHaveLength(1_000);
  });

  test('with a body that was taken for left behind writes the body again', async () => {
    const name = newName();
    const body = bytesOf(150_000, 1);
    let commits = 0;
    const slow = (atomic: DenoKvAtomic): DenoKvAtomic => ({
      check: (check) => slow(atomic.check(check)),
      set: (key, value, options) => slow(atomic.set(key, value, options)),
      delete: (key) => slow(atomic.delete(key)),
      async commit() {
        // The note and the parts of the body have been written, and the entry has not.
        if (++commits === 3) await sweepLater(name);
        return atomic.commit();
      },
    });
    const store = denoKvStore(
      {
        close() {},
        getMany: (keys) => kv.getMany(keys),
        list: (selector, options) => kv.list(selector, options),
        atomic: () => slow(kv.atomic()),
      },
      { name },
    );
    await store.write([{ ...put('a', 1), body }]);
    expect(commits).toBeGreaterThan(5);
    expect(await denoKvStore(other, { name }).body('a')).toEqual(body);
    await store.close();
    expect(await written(name)).toEqual({ state: 1, item: 1, body: 3 });
  });

  test('that was left to be carried out is carried out once, also by a slow process', async () => {
    const name = newName();
    const keys = Array.from({ length: 1_000 }, (_, n) => `key ${n}`);
    const [first, last] = [keys[0] as string, keys.at(-1) as string];
    await leftToBeCarriedOut(name, keys);
    const slow = Promise.withResolvers<void>();
    const isThere = Promise.withResolvers<void>();
    const waiting = (atomic: DenoKvAtomic): DenoKvAtomic => ({
      check: (check) => waiting(atomic.check(check)),
      set: (key, value, options) => waiting(atomic.set(key, value, options)),
      delete: (key) => waiting(atomic.delete(key)),
      async commit() {
        isThere.resolve();
        await slow.promise;
        return atomic.commit();
      },
    });
    const sleeper = denoKvStore(
      {
        close() {},
        getMany: (names) => kv.getMany(names),
        list: (selector, options) => kv.list(selector, options),
        atomic: () => waiting(kv.atomic()),
      },
      { name },
    );
    const found = sleeper.get(first);
    await isThere.promise;
    const store = denoKvStore(other, { name });
    expect((await store.get(last))?.value).toBe('made');
    await store.write([put(first, 'later')]);
    slow.resolve();
    expect((await found)?.value).toBe('later');
    expect((await store.get(first))?.value).toBe('later');
    expect(await store.range({ prefix: 'key ' })).toHaveLength(1_000);
  }, 30_000);
});

test('a database that cannot be had is a clear error', async () => {
  expect(() => denoKvStore(undefined as never)).toThrow(
    'denoKvStore.kv: undefined is not allowed; expected an open Deno.Kv, or a function that opens one; Deno.openKv is there with --unstable-kv',
  );
  expect(() => denoKvStore({} as never)).toThrow(/denoKvStore.kv: {} is not allowed.*it lacks getMany, list/);
  expect(() => denoKvStore(kv, { nmae: 'x' } as never)).toThrow(
    /denoKvStore.nmae.*unknown option; known: name/,
  );
  expect(() => denoKvStore(kv, { name: 'x'.repeat(101) })).toThrow(/denoKvStore.name/);
  const nothing = denoKvStore(async () => ({}) as never);
  await expect(nothing.get('a')).rejects.toThrow(/denoKvStore.kv: {} is not allowed/);
  let tries = 0;
  const later = denoKvStore(async () => {
    if (tries++ === 0) throw new TypeError('disk gone');
    return kv;
  });
  await expect(later.get('a')).rejects.toMatchObject({
    name: 'StorageError',
    message: expect.stringMatching(/Deno KV: it could not be opened: TypeError: disk gone/),
  });
  expect(await later.get('nothing')).toBeUndefined();
});

test('entries of a newer version are refused, and left as they are', async () => {
  const name = newName();
  await kv.atomic().set([name, 'state'], { version: 2 }).commit();
  const store = denoKvStore(kv, { name });
  const refused = { name: 'StorageError', code: 'storage-newer', transient: false };
  await expect(store.get('a')).rejects.toMatchObject(refused);
  await expect(store.range({})).rejects.toMatchObject(refused);
  await expect(store.count({ group: 'a' })).rejects.toMatchObject(refused);
  await expect(store.write([put('a', 1)])).rejects.toMatchObject(refused);
  expect(await written(name)).toEqual({ state: 1 });
});

test('a cache over a database that fails goes on without it', async () => {
  const broken = await Deno.openKv(':memory:');
  broken.close();
  expect(await readsWithout(denoKvStore(broken))).toMatchObject({
    type: 'store-failed',
    error: { name: 'StorageError' },
  });
});
