import { afterAll, afterEach, describe, expect, test } from 'vitest';
import { type AtomicStore, type Change, type Item, isQuotaExceeded } from '../../src/core/store.ts';
import { createFetch, outbox } from '../../src/index.ts';
import { needsLease } from '../../src/policies/outbox/queue/lease.ts';
import { type Lock, type SqlExec, type SqlStoreOptions, sqlStore } from '../../src/sql.ts';
import { storeContract } from '../contracts/store.ts';
import { deliversOnce, servesStale } from '../support/over-store.ts';
import { hasSqlite, newFile, openSqlite, removeFiles, type Sqlite } from '../support/sqlite.ts';

const URL_ = 'https://api.example.com/orders';

const opened: Sqlite[] = [];

/** Another connection to a file. */
function connect(file: string): SqlExec {
  const sqlite = openSqlite(file);
  opened.push(sqlite);
  return sqlite.exec;
}

const open = (file: string, options: Partial<SqlStoreOptions> = {}): AtomicStore =>
  sqlStore({ exec: connect(file), ...options });

const put = (key: string, value: unknown, more: Partial<Item> = {}): Change => ({
  put: { key, value, ...more },
});

const add = (store: AtomicStore, by: number): Promise<number> =>
  store.change(
    ['sum'],
    ([found]) => {
      const sum = ((found?.value as number | undefined) ?? 0) + by;
      return { changes: [put('sum', sum)], result: sum };
    },
    { strict: true },
  );

const bytesOf = (length: number): Uint8Array<ArrayBuffer> =>
  new Uint8Array(length).map((_, at) => (at * 7) % 251);

describe.skipIf(!hasSqlite)('sqlStore', () => {
  afterEach(() => {
    for (const sqlite of opened.splice(0)) sqlite.close();
  });
  afterAll(removeFiles);

  storeContract(() => {
    const file = newFile();
    return { store: open(file), reopen: () => open(file) };
  });

  test('a stale cache over it serves what another process has stored', () => {
    const file = newFile();
    return servesStale(() => open(file));
  });

  test('an outbox over it delivers what was accepted before it was closed', () => {
    const file = newFile();
    return deliversOnce(() => open(file));
  });

  test('an outbox over it delivers with a lock in memory', () => {
    const exec = connect(newFile());
    return deliversOnce(() => sqlStore({ exec, lock: 'memory' }));
  });

  test('needs a lease unless it has a lock of its own', () => {
    const exec = connect(newFile());
    const lock: Lock = (_, __, task) => task();
    expect(needsLease(sqlStore({ exec }))).toBe(true);
    expect(needsLease(sqlStore({ exec, lock: 'memory' }))).toBe(false);
    expect(needsLease(sqlStore({ exec, lock }))).toBe(false);
  });

  test('sends each lane under the lock that it is given', async () => {
    const asked: string[] = [];
    const lock: Lock = (name, _, task) => {
      asked.push(name);
      return task();
    };
    const box = outbox({ store: open(newFile(), { lock }) });
    const fetch = createFetch({
      name: 'shop',
      partition: 'ann',
      outbox: box,
      fetch: async () => new Response('thanks'),
    });
    const answer = await fetch(URL_, { method: 'POST', body: 'a', holdfast: { outbox: { lane: 'cart' } } });
    expect(await answer.text()).toBe('thanks');
    await fetch.close();
    expect(new Set(asked)).toEqual(new Set([expect.stringMatching(/^holdfast outbox shop .*cart/)]));
  });

  test('commits on the disk, and lets readers go on', async () => {
    const exec = connect(newFile());
    exec('PRAGMA synchronous = OFF');
    await sqlStore({ exec }).write([put('a', 1)]);
    expect(exec('PRAGMA journal_mode')).toMatchObject([{ journal_mode: 'wal' }]);
    expect(exec('PRAGMA synchronous')).toMatchObject([{ synchronous: 2 }]);
    expect(exec('PRAGMA busy_timeout')).toMatchObject([{ timeout: 2000 }]);
  });

  test('leaves settings that are stricter as they are', async () => {
    const exec = connect(newFile());
    exec('PRAGMA synchronous = EXTRA');
    exec('PRAGMA busy_timeout = 7');
    await sqlStore({ exec }).write([put('a', 1)]);
    expect(exec('PRAGMA synchronous')).toMatchObject([{ synchronous: 3 }]);
    expect(exec('PRAGMA busy_timeout')).toMatchObject([{ timeout: 7 }]);
  });

  test('changes of two connections see each other', async () => {
    const file = newFile();
    const [one, two] = [open(file), open(file)];
    await Promise.all(Array.from({ length: 40 }, (_, at) => add(at % 2 ? one : two, 1)));
    expect((await one.get('sum'))?.value).toBe(40);
  });

  test('changes that are asked for at once share one transaction', async () => {
    const exec = connect(newFile());
    const begun: string[] = [];
    const store = sqlStore({
      exec: (query, ...values) => {
        if (query.startsWith('BEGIN')) begun.push(query);
        return exec(query, ...values);
      },
    });
    await store.write([put('first', 1)]);
    begun.length = 0;
    await Promise.all(Array.from({ length: 100 }, () => add(store, 1)));
    expect(begun).toEqual(['BEGIN IMMEDIATE']);
    expect((await store.get('sum'))?.value).toBe(100);
  });

  test('a change while another process writes is a passing error, and works when that has ended', async () => {
    const file = newFile();
    const store = open(file);
    await store.write([put('a', 1)]);
    const exec = opened.at(-1)?.exec as SqlExec;
    exec('PRAGMA busy_timeout = 1');
    const other = connect(file);
    other('BEGIN IMMEDIATE');
    const changes = await Promise.allSettled([add(store, 1), add(store, 1)]);
    expect(changes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    const [{ reason }] = changes as unknown as [PromiseRejectedResult];
    expect([reason.name, reason.transient]).toEqual(['StorageError', true]);
    expect(reason.message).toMatch(/^SQLite: change failed: .*locked/);
    expect((await store.get('a'))?.value).toBe(1);
    other('ROLLBACK');
    expect(await add(store, 1)).toBe(1);
  });

  test('a commit that fails, and a rollback that fails, leave the store usable', async () => {
    const exec = connect(newFile());
    let failing = 0;
    const store = sqlStore({
      exec(query, ...values) {
        if (failing > 0 && /^(COMMIT|ROLLBACK)/.test(query)) {
          failing--;
          throw new Error('disk I/O error');
        }
        return exec(query, ...values);
      },
    });
    await store.write([put('a', 1)]);
    failing = 2;
    await expect(store.write([put('a', 2)])).rejects.toThrow('disk I/O error');
    expect((await store.get('a'))?.value).toBe(1);
    await store.write([put('a', 3)]);
    expect((await store.get('a'))?.value).toBe(3);
  });

  test('a change that may not be on the disk is rejected with storage-unknown', async () => {
    const exec = connect(newFile());
    const sync = () => Promise.reject(new Error('EIO'));
    const store = sqlStore({ exec, sync });
    await expect(
      store.change([], () => ({ changes: [put('a', 1)], result: 0 }), { strict: true }),
    ).rejects.toMatchObject({ name: 'StorageError', code: 'storage-unknown' });
    expect((await store.get('a'))?.value).toBe(1);
  });

  test('a full database fails like a full disk, so that a cache makes room', async () => {
    const exec = connect(newFile());
    const store = sqlStore({ exec });
    await store.write([{ ...put('a', 1), body: 'before' }]);
    exec('PRAGMA max_page_count = 20');
    const full = await store.write([{ ...put('a', 2), body: bytesOf(500_000) }]).catch((error) => error);
    expect(full).toMatchObject({ name: 'StorageError' });
    expect(isQuotaExceeded(full)).toBe(true);
    expect([(await store.get('a'))?.value, await store.body('a')]).toEqual([1, 'before']);
    await store.write([put('b', 2)]);
    expect((await store.get('b'))?.value).toBe(2);
  });

  test('a key that is too long is rejected alone, and stops no other write', async () => {
    const file = newFile();
    const store = open(file);
    const long = (length: number): Change => put('字'.repeat(length), 1);
    const outcomes = await Promise.allSettled([
      store.write([put('before', 1)]),
      store.write([long(1_000_000)]),
      store.write([put('item', 'x'.repeat(1_900_000))]),
      store.write([long(10_000)]),
    ]);
    expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'rejected', 'fulfilled']);
    for (const outcome of outcomes.slice(1, 3))
      expect(outcome).toMatchObject({
        reason: {
          name: 'StorageError',
          transient: false,
          message: expect.stringMatching(/an item of \d+ bytes/),
        },
      });
    expect((await open(file).range({})).map(({ key }) => key.length)).toEqual([6, 10_000]);
  });

  test.each([
    ['an id of 255 characters of 3 bytes', URL_, { id: '字'.repeat(255) }],
    ['a key of 255 characters of 3 bytes', URL_, { coalesce: { key: '字'.repeat(255) } }],
    ['a lane of 255 characters of 3 bytes', URL_, { lane: '字'.repeat(255) }],
    ['a URL of 5,000 letters', `${URL_}?${'u'.repeat(5_000)}`, {}],
  ])('a write with %s is delivered with what was accepted before and after', async (_, url, options) => {
    const file = newFile();
    const sent: string[] = [];
    let isDown = true;
    const start = () => {
      const box = outbox({ store: open(file), respondAfter: 1 });
      const fetch = createFetch({
        name: 'shop',
        partition: 'ann',
        outbox: box,
        retry: false,
        breaker: false,
        fetch: async (input, init) => {
          if (isDown) throw new TypeError('Failed to fetch');
          sent.push(await new Request(input, init).text());
          return new Response('thanks');
        },
      });
      return { box, fetch };
    };
    const before = start();
    const give = (body: string, to: string, more: object) =>
      before.fetch(to, { method: 'POST', body, holdfast: { outbox: more } });
    expect((await give('before', URL_, {})).status).toBe(202);
    expect((await give('long', url, options)).status).toBe(202);
    expect((await give('after', URL_, {})).status).toBe(202);
    await before.fetch.close();
    isDown = false;
    const after = start();
    await after.box.flush();
    expect(sent.toSorted()).toEqual(['after', 'before', 'long']);
    expect(await after.box.counts()).toMatchObject({ waiting: 0, deadLetters: 0 });
    await after.fetch.close();
  });

  test('tables of a newer version are refused, and left as they are', async () => {
    const file = newFile();
    const before = open(file);
    await before.write([put('a', 1)]);
    const exec = connect(file);
    exec('UPDATE holdfast_version SET version = 2');
    const refused = {
      name: 'StorageError',
      code: 'storage-newer',
      transient: false,
      message: 'SQLite: the tables are of version 2, written by a newer version of this program',
    };
    await expect(open(file).get('a')).rejects.toMatchObject(refused);
    await expect(open(file).write([{ delete: 'a' }])).rejects.toMatchObject(refused);
    // One that was open before the newer version came.
    await expect(before.write([{ delete: 'a' }])).rejects.toMatchObject(refused);
    expect(exec('SELECT COUNT(*) AS count FROM holdfast_items')).toMatchObject([{ count: 1 }]);
  });

  test('stores of different names share a database and no entries', async () => {
    const file = newFile();
    const [one, two] = ['one', 'two'].map((name) => open(file, { name }));
    await one?.write([put('a', 1)]);
    expect(await two?.get('a')).toBeUndefined();
    expect((await one?.get('a'))?.value).toBe(1);
  });

  test('an adapter that cannot be meant is an error that names the option', async () => {
    const exec = connect(newFile());
    const made = (options: object) => () => sqlStore(options as SqlStoreOptions);
    expect(made({})).toThrow('sqlStore.exec: undefined is not allowed; expected a function');
    expect(made({ exec: 'SELECT' })).toThrow(/sqlStore.exec: .*expected a function/);
    expect(made({ exec, transaction: true })).toThrow(/sqlStore.transaction: .*expected a function/);
    expect(made({ exec, lock: 'file' })).toThrow(/sqlStore.lock: 'file' .*expected 'memory' or a function/);
    expect(made({ exec, name: 'a-b' })).toThrow(/sqlStore.name: 'a-b'/);
    expect(made({ exec, table: 'a' })).toThrow(/sqlStore.table: .*unknown option; known: exec/);
    const used = (options: SqlStoreOptions) => sqlStore(options).get('a');
    await expect(used({ exec: (async () => []) as never })).rejects.toThrow(
      /sqlStore.exec: .*expected it to return rows, and not to wait/,
    );
    await expect(used({ exec, transaction: () => () => {} })).rejects.toThrow(
      /sqlStore.transaction: .*expected it to run its task and to return/,
    );
    await expect(used({ exec, transaction: async (task) => task() })).rejects.toThrow(
      /sqlStore.transaction: /,
    );
  });
});
