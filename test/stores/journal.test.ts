import { createStorage, type Driver } from 'unstorage';
import memoryDriver from 'unstorage/drivers/memory';
import { describe, expect, test } from 'vitest';
import type { StorageError } from '../../src/core/errors.ts';
import type { AtomicStore, Change, Item, Whole } from '../../src/core/store.ts';
import { unstorageStore } from '../../src/unstorage.ts';
import { storeContract } from '../contracts/store.ts';

type Kept = Map<string, unknown>;

/** What becomes of an operation of the disk, of which this is the nth. */
type Fate = (nth: number) => 'done' | 'refused' | 'lost' | 'never';

/** Operations take a moment each, and may fail. @param kept What lies on it. */
function disk(kept: Kept, fate: Fate = () => 'done'): Driver {
  const inner = memoryDriver();
  let nth = 0;
  const happens = async <T>(work: () => T): Promise<T> => {
    const is = fate(++nth);
    if (is === 'never') return new Promise(() => {});
    await null;
    if (is === 'refused') throw new Error('EIO');
    const result = work();
    if (is === 'lost') throw new Error('ECONNRESET');
    return result;
  };
  return {
    ...inner,
    getItem: (key) => happens(() => (kept.get(key) as string) ?? null),
    getItemRaw: (key) => happens(() => kept.get(key) ?? null),
    hasItem: (key) => kept.has(key),
    setItem: (key, value) => happens(() => void kept.set(key, value)),
    setItemRaw: (key, value) => happens(() => void kept.set(key, value)),
    removeItem: (key) => happens(() => void kept.delete(key)),
    getKeys: () => happens(() => [...kept.keys()]),
  };
}

const opened = (kept: Kept, fate?: Fate): AtomicStore =>
  unstorageStore(createStorage({ driver: disk(kept, fate) }), { exclusive: true });

describe('one process over unstorage', () => {
  storeContract(() => ({ store: opened(new Map()) }));
});

/** Each touches several keys, and counts itself: what is there tells how many have happened. */
const changes: readonly ((found: readonly (Item | undefined)[]) => readonly Change[])[] = [
  () => [put('a', 1, 'one'), put('b', 1, new Uint8Array([1, 1]))],
  () => [put('a', 2), put('c', 2, 'two')],
  ([a]) => [{ delete: 'b' }, put('d', a?.value, 'with a body'), put('a', 3, 'three')],
  () => [put('c', 4, null), put('a', 4, 'four')],
  () => [{ delete: 'a' }, { delete: 'c' }, put('b', 5, 'again')],
];

function put(key: string, value: unknown, body?: string | Uint8Array<ArrayBuffer> | null): Change {
  return { put: { key, value }, body };
}

const run = (store: AtomicStore, nth: number): Promise<void> =>
  store.change(['a'], (found) => ({
    changes: [...(changes[nth]?.(found) ?? []), put('count', nth + 1)],
    result: undefined,
  }));

const all = (store: AtomicStore): Promise<Whole[]> => store.wholes({});

/** What there is after so many changes. */
async function expected(): Promise<Whole[][]> {
  const store = opened(new Map());
  const states = [await all(store)];
  for (const nth of changes.keys()) {
    await run(store, nth);
    states.push(await all(store));
  }
  return states;
}

const countIn = (state: readonly Whole[]): number =>
  (state.find(({ key }) => key === 'count')?.value as number | undefined) ?? 0;

/** So many operations all of it takes. */
async function operations(): Promise<number> {
  let most = 0;
  const store = opened(new Map(), (nth) => {
    most = nth;
    return 'done';
  });
  for (const nth of changes.keys()) await run(store, nth);
  await store.close();
  return most;
}

test('a process that dies at any moment leaves each change whole or not at all, and what it was told is kept', async () => {
  const states = await expected();
  const most = await operations();
  expect(most).toBeGreaterThan(30);
  for (let death = 1; death <= most; death++) {
    const kept: Kept = new Map();
    const dying = opened(kept, (nth) => (nth < death ? 'done' : 'never'));
    let told = 0;
    const day = (async () => {
      for (const nth of changes.keys()) {
        await run(dying, nth);
        told++;
      }
    })();
    await Promise.race([day, steps(500)]);
    const found = await all(opened(kept));
    expect(found, `died at ${death}`).toEqual(states[countIn(found)]);
    expect([told, told + 1], `died at ${death}`).toContain(countIn(found));
  }
});

/** Longer than all of it takes. */
async function steps(count: number): Promise<void> {
  for (let step = 0; step < count; step++) await null;
}

test.each(['refused', 'lost'] as const)(
  'an operation that is %s, whichever it is, is told to whom it concerns, and nothing else is lost',
  async (how) => {
    const most = await operations();
    for (let bad = 1; bad <= most; bad++) {
      for (const length of [1, 3]) {
        const kept: Kept = new Map();
        let isBroken = true;
        const store = opened(kept, (nth) => (isBroken && nth >= bad && nth < bad + length ? how : 'done'));
        const log: string[] = [];
        for (const nth of changes.keys()) {
          const name = `k${nth}`;
          await store
            .change([], () => ({
              changes: [put(name, nth, 'body'), put(`${name}'`, nth)],
              result: undefined,
            }))
            .then(
              () => log.push(`${name} kept`),
              ({ code }: StorageError) => log.push(`${name} ${code}`),
            );
        }
        isBroken = false;
        const here = await all(store);
        const there = await all(opened(kept));
        expect(there, `${bad}, ${length}`).toEqual(here);
        for (const line of log) {
          const [name, is] = line.split(' ') as [string, string];
          const times = here.filter(({ key }) => key === name || key === `${name}'`).length;
          if (is === 'kept') expect(times, `${bad}, ${length}: ${line}`).toBe(2);
          else if (is === 'storage') expect(times, `${bad}, ${length}: ${line}`).toBe(0);
          else expect([0, 2], `${bad}, ${length}: ${line}`).toContain(times);
        }
        for (const { key, body } of here) expect(body).toBe(key.endsWith("'") ? undefined : 'body');
      }
    }
  },
);

test('who opens it takes it over, and the one before is refused from then on', async () => {
  const kept: Kept = new Map();
  const before = opened(kept);
  await before.write([put('a', 1)]);
  const after = opened(kept);
  await after.write([put('a', 2)]);
  const taken = { name: 'StorageError', code: 'storage-taken', transient: false };
  await expect(before.write([put('a', 3)])).rejects.toMatchObject(taken);
  await expect(before.get('a')).rejects.toMatchObject(taken);
  expect((await after.get('a'))?.value).toBe(2);
  await after.close();
  await before.close();
  expect((await before.get('a'))?.value).toBe(2);
});

test('a body is found while it is written anew', async () => {
  const driver = disk(new Map());
  const slow: Driver = {
    ...driver,
    async getItemRaw(key, options) {
      await steps(50);
      return driver.getItemRaw?.(key, options);
    },
  };
  const store = unstorageStore(createStorage({ driver: slow }), { exclusive: true });
  await store.write([put('a', 0, 'body 0')]);
  let done = false;
  const writing = (async () => {
    for (let turn = 1; turn <= 50; turn++) {
      await store.write([put('a', turn, `body ${turn}`)]);
      await steps(turn);
    }
    done = true;
  })();
  while (!done) expect(await store.body('a')).toMatch(/^body \d+$/);
  await writing;
});

test('a note whose bodies are lost was never whole', async () => {
  const kept: Kept = new Map();
  const dying = opened(kept, (nth) => (nth < 6 ? 'done' : 'never'));
  void run(dying, 0);
  await steps(500);
  for (const name of kept.keys()) if (/journal.*body$/.test(name)) kept.delete(name);
  expect(await all(opened(kept))).toEqual([]);
});

test('what dies in the middle of an item loses neither the item nor the body that it keeps', async () => {
  const whole = [{ key: 'a', value: 2, body: 'body' }];
  const before: Kept = new Map();
  await opened(before).write([put('a', 1, 'body')]);
  for (let death = 1; death < 20; death++) {
    const kept: Kept = new Map(before);
    const inner = disk(kept, (nth) => (nth < death ? 'done' : 'never'));
    let nth = 0;
    const tearing: Driver = {
      ...inner,
      async setItem(key, value, options) {
        // As files are: emptied, and then written.
        if (++nth < death) kept.set(key, value.slice(0, value.length / 2));
        await inner.setItem?.(key, value, options);
      },
    };
    const dying = unstorageStore(createStorage({ driver: tearing }), { exclusive: true });
    let told = false;
    void dying.write([put('a', 2)]).then(() => {
      told = true;
    });
    await steps(300);
    const found = await all(opened(kept));
    expect([JSON.stringify(whole), ...(told ? [] : [JSON.stringify([{ ...whole[0], value: 1 }])])]).toContain(
      JSON.stringify(found),
    );
  }
});

test('a body is found while its item is written anew', async () => {
  const kept: Kept = new Map();
  const inner = disk(kept);
  const tearing: Driver = {
    ...inner,
    async setItem(key, value, options) {
      kept.set(key, '');
      await steps(60);
      await inner.setItem?.(key, value, options);
    },
  };
  const store = unstorageStore(createStorage({ driver: tearing }), { exclusive: true });
  await store.write([put('a', 0, 'body')]);
  for (let turn = 1; turn < 10; turn++) {
    await store.write([put('a', turn)]);
    await steps(turn * 7);
    expect(await store.body('a')).toBe('body');
  }
  expect(await all(unstorageStore(createStorage({ driver: disk(kept) }), { exclusive: true }))).toMatchObject(
    [{ key: 'a', body: 'body' }],
  );
});
