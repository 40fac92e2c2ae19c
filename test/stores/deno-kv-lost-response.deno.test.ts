import { afterAll, expect, test } from 'vitest';
import type { Change, Item } from '../../src/core/store.ts';
import { type DenoKv, type DenoKvAtomic, denoKvStore } from '../../src/deno.ts';
import { createFetch, outbox } from '../../src/index.ts';

declare const Deno: {
  openKv(path?: string): Promise<DenoKv>;
  readonly env: { get(name: string): string | undefined };
};

const path = `${Deno.env.get('HOLDFAST_TEST_FOLDER')}/lost-response.db`;
const kv = await Deno.openKv(path);
const other = await Deno.openKv(path);
afterAll(() => {
  kv.close();
  other.close();
});

let made = 0;
const newName = (): string => `lost ${++made}`;

type Commit = () => ReturnType<DenoKvAtomic['commit']>;

/** A database whose network does something else with some commits. @param nth From 1. */
function overNetwork(
  instead: (commit: Commit, nth: number) => ReturnType<Commit>,
  read = kv.getMany.bind(kv),
): DenoKv {
  let commits = 0;
  const sent = (atomic: DenoKvAtomic): DenoKvAtomic => ({
    check: (check) => sent(atomic.check(check)),
    set: (key, value, options) => sent(atomic.set(key, value, options)),
    delete: (key) => sent(atomic.delete(key)),
    commit: () => instead(() => atomic.commit(), ++commits),
  });
  return {
    close() {},
    getMany: read,
    list: (selector, options) => kv.list(selector, options),
    atomic: () => sent(kv.atomic()),
  };
}

const lost = async (commit: Commit): Promise<never> => {
  await commit();
  throw new Error('connection reset');
};

const put = (key: string, value: unknown): Change => ({ put: { key, value } });

const add = ([found]: readonly (Item | undefined)[]) => {
  const sum = ((found?.value as number | undefined) ?? 0) + 1;
  return { changes: [put('sum', sum)], result: sum };
};

test.each([1, 5])('%i changes whose response is lost are made once', async (count) => {
  const store = denoKvStore(
    overNetwork((commit, nth) => (nth === 1 ? lost(commit) : commit())),
    { name: newName() },
  );
  const sums = await Promise.all(Array.from({ length: count }, () => store.change(['sum'], add)));
  expect(sums).toEqual(Array.from({ length: count }, (_, at) => at + 1));
  expect((await store.get('sum'))?.value).toBe(count);
});

test.each([1, 5])('%i changes whose request is lost are made once', async (count) => {
  const store = denoKvStore(
    overNetwork(async (commit, nth) => {
      if (nth === 1) throw new Error('connection reset');
      return commit();
    }),
    { name: newName() },
  );
  const sums = await Promise.allSettled(Array.from({ length: count }, () => store.change(['sum'], add)));
  const isMade = ({ status }: { readonly status: string }): boolean => status === 'fulfilled';
  expect((await store.get('sum'))?.value).toBe(count === 1 ? undefined : count);
  expect(sums.filter(isMade)).toHaveLength(count === 1 ? 0 : count);
});

test('a change that arrives after it was given up is not made', async () => {
  let late: Commit | undefined;
  const store = denoKvStore(
    overNetwork(async (commit, nth) => {
      if (nth > 1) return commit();
      late = commit;
      throw new Error('connection reset');
    }),
    { name: newName() },
  );
  await expect(store.change(['sum'], add)).rejects.toMatchObject({ code: 'storage' });
  expect(await late?.()).toEqual({ ok: false });
  expect(await store.change(['sum'], add)).toBe(1);
});

test('a change that was sent twice on its way is made once', async () => {
  const store = denoKvStore(
    overNetwork(async (commit, nth) => {
      if (nth === 1) await commit();
      return commit();
    }),
    { name: newName() },
  );
  expect(await store.change(['sum'], add)).toBe(1);
  expect((await store.get('sum'))?.value).toBe(1);
});

test('a change too large for one operation whose response is lost is made once', async () => {
  for (let at = 1; at < 8; at++) {
    const store = denoKvStore(
      overNetwork((commit, nth) => (nth === at ? lost(commit) : commit())),
      { name: newName() },
    );
    const many = Array.from({ length: 1_000 }, (_, n) => put(`key ${n}`, n));
    const change = store.change(['sum'], (found) => ({
      ...add(found),
      changes: [...add(found).changes, ...many],
    }));
    const isMade = await change.then(
      () => true,
      () => false,
    );
    expect([(await store.get('sum'))?.value, (await store.range({ prefix: 'key ' })).length]).toEqual(
      isMade ? [1, 1_000] : [undefined, 0],
    );
  }
}, 30_000);

test.each([
  ['the database cannot be read then', false],
  ['another process has made one since', true],
])('changes whose response is lost are unknown, and not made again, if %s', async (_, isRead) => {
  const name = newName();
  let isDown = false;
  const store = denoKvStore(
    overNetwork(
      async (commit, nth) => {
        if (nth > 1) return commit();
        await commit();
        if (isRead) await denoKvStore(other, { name }).change(['sum'], add);
        else isDown = true;
        throw new Error('connection reset');
      },
      async (keys) => {
        if (isDown) throw new Error('connection reset');
        return kv.getMany(keys);
      },
    ),
    { name },
  );
  const sums = await Promise.allSettled([1, 2, 3].map(() => store.change(['sum'], add)));
  for (const sum of sums)
    expect(sum).toMatchObject({
      reason: {
        code: 'storage-unknown',
        message: expect.stringMatching(/may or may not .*connection reset/),
      },
    });
  isDown = false;
  expect((await store.get('sum'))?.value).toBe(isRead ? 4 : 3);
});

test('writes that are queued at once, and whose response is lost, are queued once and accepted', async () => {
  const store = denoKvStore(
    overNetwork((commit, nth) => (nth === 1 ? lost(commit) : commit())),
    { name: newName() },
  );
  const box = outbox({ store, respondAfter: 1 });
  const fetch = createFetch({
    partition: 'ann',
    outbox: box,
    retry: false,
    breaker: false,
    fetch: () => Promise.reject(new TypeError('Failed to fetch')),
  });
  const responses = await Promise.all(
    ['a', 'b', 'c'].map((id) =>
      fetch('https://shop.example/orders', { method: 'POST', body: id, holdfast: { outbox: { id } } }),
    ),
  );
  expect(responses.map(({ status }) => status)).toEqual([202, 202, 202]);
  expect((await box.counts()).waiting).toBe(3);
  await fetch.close();
});
