import { describe, expect, test } from 'vitest';
import type { AtomicStore, Change, Item, Store, Transaction } from '../../src/core/store.ts';

const put = (key: string, value: unknown = key, group?: string): Change => ({
  put: { key, value, ...(group !== undefined && { group }) },
});

/** An item of a group and of a collection. */
const within = (key: string, group: string | undefined, collection: string | undefined): Change => ({
  put: {
    key,
    value: key,
    ...(group !== undefined && { group }),
    ...(collection !== undefined && { collection }),
  },
});

const keys = (items: readonly Item[]): string[] => items.map(({ key }) => key);

const text = async (body: unknown): Promise<string> => new Response(body as BodyInit).text();
const bytes = async (body: unknown): Promise<Uint8Array> =>
  new Uint8Array(await new Response(body as BodyInit).arrayBuffer());

interface Opened<S extends Store> {
  /** A new, empty one. */
  readonly store: S;
  /** Opens another one on the same data. */
  readonly reopen?: () => S;
}

/**
 * The laws of a store that is enough for a cache.
 *
 * @param lists Whether it lists all keys, or only keys that are the same up to their last space.
 * @param longestKey In characters.
 */
export function storeLaws(open: () => Opened<Store>, { lists = true, longestKey = 10_000 } = {}): void {
  const fresh = (): Store => open().store;

  describe('a store', () => {
    test('a store returns written items, and nothing for others', async () => {
      const store = fresh();
      await store.write([{ ...put('a', { deep: [1, new Date(0), null] }), body: 'body' }]);
      expect(await store.get('a')).toEqual({ key: 'a', value: { deep: [1, new Date(0), null] } });
      expect(await store.body('a')).toBe('body');
      expect(await store.get('b')).toBeUndefined();
      expect(await store.body('b')).toBeUndefined();
    });

    test('a store keeps bodies of every kind', async () => {
      const store = fresh();
      await store.write([
        { ...put('text'), body: '\uFEFFtext ä' },
        { ...put('bytes'), body: new Uint8Array([0, 1, 255]) },
        { ...put('blob'), body: new Blob(['blob'], { type: 'text/x' }) },
      ]);
      // With its byte order mark.
      expect(await bytes(await store.body('text'))).toEqual(new TextEncoder().encode('\uFEFFtext ä'));
      expect(await store.body('bytes')).toEqual(new Uint8Array([0, 1, 255]));
      expect(await text(await store.body('blob'))).toBe('blob');
      expect(((await store.body('blob')) as Blob).type).toBe('text/x');
    });

    test('a store leaves, replaces or removes the body, as the change says', async () => {
      const store = fresh();
      await store.write([{ ...put('a', 1), body: 'one' }]);
      await store.write([put('a', 2)]);
      expect(await store.body('a')).toBe('one');
      await store.write([{ ...put('a', 3), body: 'three' }]);
      expect(await store.body('a')).toBe('three');
      await store.write([{ ...put('a', 4), body: null }]);
      expect(await store.body('a')).toBeUndefined();
      expect((await store.get('a'))?.value).toBe(4);
    });

    test('a store deletes an item with its body', async () => {
      const store = fresh();
      await store.write([{ ...put('a'), body: 'one' }, put('b')]);
      await store.write([{ delete: 'a' }, { delete: 'never there' }]);
      expect(await store.get('a')).toBeUndefined();
      expect(await store.body('a')).toBeUndefined();
      expect(keys(await store.range({}))).toEqual(['b']);
    });

    test('a store is not changed through its arguments and results', async () => {
      const store = fresh();
      const value = { list: [1] };
      await store.write([put('a', value)]);
      value.list.push(2);
      const got = (await store.get('a'))?.value as typeof value;
      got.list.push(3);
      expect((await store.get('a'))?.value).toEqual({ list: [1] });
    });

    test('a store lists in the order of keys, by prefix, in pages', async () => {
      const store = fresh();
      await store.write(['b 2', 'a', 'b 10', 'b 1', 'c', 'b', 'B 3'].map((key) => put(key)));
      if (lists) expect(keys(await store.range({}))).toEqual(['B 3', 'a', 'b', 'b 1', 'b 10', 'b 2', 'c']);
      expect(keys(await store.range({ prefix: 'b ' }))).toEqual(['b 1', 'b 10', 'b 2']);
      expect(keys(await store.range({ prefix: 'b ', limit: 2 }))).toEqual(['b 1', 'b 10']);
      expect(keys(await store.range({ prefix: 'b ', after: 'b 10' }))).toEqual(['b 2']);
      expect(keys(await store.range({ prefix: 'b ', after: 'c' }))).toEqual([]);
      expect(keys(await store.range({ prefix: 'z' }))).toEqual([]);
    });

    test('a store lists items with their bodies, by prefix', async () => {
      const store = fresh();
      await store.write([
        { ...put('a 1', 1), body: new Uint8Array([1]) },
        put('a 2', 2),
        { ...put('a 3', 3), body: new Blob(['three']) },
        { ...put('b', 4), body: 'four' },
      ]);
      const rangeWithBodies = await store.rangeWithBodies({ prefix: 'a ' });
      expect(rangeWithBodies.map(({ key, value }) => [key, value])).toEqual([
        ['a 1', 1],
        ['a 2', 2],
        ['a 3', 3],
      ]);
      expect(rangeWithBodies[0]?.body).toEqual(new Uint8Array([1]));
      expect(rangeWithBodies[1]?.body).toBeUndefined();
      expect(await text(rangeWithBodies[2]?.body)).toBe('three');
      expect(await store.rangeWithBodies({ prefix: 'c' })).toEqual([]);
    });

    test.skipIf(!lists)('a store lists items of a group with their bodies, in pages', async () => {
      const store = fresh();
      await store.write(
        [1, 2, 3, 4].map((value) => ({ ...put(`a ${value}`, value, 'left'), body: `body ${value}` })),
      );
      expect(await store.rangeWithBodies({ group: 'left', after: 'a 1', limit: 2 })).toEqual([
        { key: 'a 2', group: 'left', value: 2, body: 'body 2' },
        { key: 'a 3', group: 'left', value: 3, body: 'body 3' },
      ]);
      expect(await store.rangeWithBodies({ group: 'right' })).toEqual([]);
    });

    test('a store lists a group by itself, in the order of keys, in pages', async () => {
      const store = fresh();
      await store.write([put('3', 0, 'g'), put('1', 0, 'g'), put('2', 0, 'h'), put('4', 0, 'g'), put('5')]);
      expect(keys(await store.range({ group: 'g' }))).toEqual(['1', '3', '4']);
      expect(keys(await store.range({ group: 'g', limit: 1 }))).toEqual(['1']);
      expect(keys(await store.range({ group: 'g', after: '1', limit: 5 }))).toEqual(['3', '4']);
      await store.write([put('3', 0, 'h'), put('1')]);
      expect(keys(await store.range({ group: 'g' }))).toEqual(['4']);
      expect(keys(await store.range({ group: 'h' }))).toEqual(['2', '3']);
    });

    test.skipIf(!lists)(
      'a store lists a collection by itself, over all groups, in the order of keys, in pages',
      async () => {
        const store = fresh();
        await store.write([
          within('k 3', 'g', 'c'),
          within('k 1', 'h', 'c'),
          within('k 2', 'g', 'd'),
          within('l 4', undefined, 'c'),
          within('k 5', 'c', undefined),
          within('k 6', 'g', 'c 2'),
        ]);
        expect(keys(await store.range({ collection: 'c' }))).toEqual(['k 1', 'k 3', 'l 4']);
        expect(keys(await store.range({ collection: 'c', limit: 2 }))).toEqual(['k 1', 'k 3']);
        expect(keys(await store.range({ collection: 'c', after: 'k 1', limit: 1 }))).toEqual(['k 3']);
        expect(keys(await store.range({ collection: 'c', prefix: 'k ' }))).toEqual(['k 1', 'k 3']);
        expect(keys(await store.range({ collection: 'g' }))).toEqual([]);
        expect(keys(await store.range({ group: 'g' }))).toEqual(['k 2', 'k 3', 'k 6']);
        expect((await store.range({ collection: 'd' }))[0]).toEqual({
          key: 'k 2',
          group: 'g',
          collection: 'd',
          value: 'k 2',
        });
      },
    );

    test('a store orders keys by their UTF-16 code units', async () => {
      const store = fresh();
      const ordered = ['A', 'a', 'a\u0000', 'aa', 'z', '\u00e4', '\ud83d\ude00', '\uffee'];
      await store.write(ordered.toReversed().map((key) => put(key, 0, 'g')));
      expect(keys(await store.range({}))).toEqual(ordered);
      expect(keys(await store.range({ group: 'g', after: 'z' }))).toEqual(ordered.slice(5));
    });

    test('a store lists keys that are too long for a platform as it lists the others', async () => {
      const store = fresh();
      const long = 'x'.repeat(1_500);
      const ordered = [`${long} 1`, `${long} 2`, `${long} 3`].map((key) => key.replace('x', 'w'));
      await store.write([...ordered, 'v', 'x'].toReversed().map((key) => put(key, key.length, 'g')));
      const prefix = ordered[0]?.slice(0, -1) as string;
      expect(keys(await store.range({ prefix }))).toEqual(ordered);
      expect(keys(await store.range({ prefix, limit: 2 }))).toEqual(ordered.slice(0, 2));
      expect(keys(await store.range({ prefix, after: ordered[0] as string, limit: 1 }))).toEqual([
        ordered[1],
      ]);
      expect(keys(await store.rangeWithBodies({ prefix: `${prefix}2` }))).toEqual([ordered[1]]);
      if (lists) expect(keys(await store.range({ group: 'g' }))).toEqual(['v', ...ordered, 'x']);
      await store.write([{ delete: ordered[1] as string }]);
      expect(keys(await store.range({ prefix }))).toEqual([ordered[0], ordered[2]]);
    });

    test('a store keeps plain data of every kind', async () => {
      const store = fresh();
      const value = {
        numbers: [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, 12n],
        none: [null, undefined],
        made: [new Date(5), /a+/gi, new Map([['a', new Set([1, { b: [] }])]])],
        bytes: [new Uint8Array([1, 2, 255]), new Float64Array([0.5]), new Uint8Array([7, 8]).buffer],
        text: ['', 'ä😀', '\ud800', '\u0000'],
        $: { $: 'Date' },
        names: Object.fromEntries(['', '__proto__', 'constructor', 'toString'].map((name) => [name, 1])),
        missing: undefined,
      };
      await store.write([put('a', value)]);
      const got = (await store.get('a'))?.value;
      expect(got).toStrictEqual(value);
      expect(got).not.toBe(value);
    });

    test('a store writes nothing if one of several items cannot be stored', async () => {
      const store = fresh();
      await expect(store.write([put('before', 1), put('bad', () => {})])).rejects.toThrow();
      expect(await store.range({})).toEqual([]);
    });

    test('a store takes strange keys unchanged', async () => {
      const store = fresh();
      const strange = [
        '',
        ' ',
        '\u0000',
        'a\u0000b',
        'ä',
        '😀',
        '👩‍👩‍👧‍👦 é',
        '../../a',
        'a/../b?c#d',
        'constructor',
        '__proto__',
        'x'.repeat(2_000),
        'x'.repeat(longestKey),
        '😀'.repeat(longestKey / 10),
      ];
      await store.write(strange.map((key) => put(key, `value of ${key}`)));
      for (const key of strange) expect((await store.get(key))?.value).toBe(`value of ${key}`);
    });
  });

  test('a store works again after it was closed', async () => {
    const store = fresh();
    await store.write([put('a')]);
    await store.close();
    if (store.durable) expect((await store.get('a'))?.value).toBe('a');
    await store.write([put('b')]);
    expect((await store.get('b'))?.value).toBe('b');
  });

  test('a durable store keeps its items for the next one', async () => {
    const { store, reopen } = open();
    expect(reopen !== undefined).toBe(store.durable);
    await store.write([{ ...within('a', 'g', 'c'), body: 'body' }]);
    await store.close();
    const again = reopen?.() ?? store;
    expect((await again.get('a'))?.value).toBe('a');
    expect(await again.body('a')).toBe('body');
    expect(keys(await again.range({ group: 'g' }))).toEqual(['a']);
    expect(keys(await again.range({ collection: 'c' }))).toEqual(['a']);
  });
}

/** The laws of a store that is enough for an outbox. */
export function storeContract(open: () => Opened<AtomicStore>): void {
  const fresh = (): AtomicStore => open().store;

  storeLaws(open);

  describe('groups and collections of a store', () => {
    test('a store changes group and collection independently', async () => {
      const store = fresh();
      const where = async () => {
        const [g, h, c, d] = await Promise.all([
          store.range({ group: 'g' }),
          store.range({ group: 'h' }),
          store.range({ collection: 'c' }),
          store.range({ collection: 'd' }),
        ]);
        return [g, h, c, d].map((items) => keys(items).join());
      };
      await store.write([within('1', 'g', 'c'), within('2', 'g', 'c')]);
      await store.write([within('1', 'h', 'c')]);
      expect(await where()).toEqual(['2', '1', '1,2', '']);
      await store.change(['1'], () => ({ changes: [within('1', 'h', 'd')], result: 0 }));
      expect(await where()).toEqual(['2', '1', '2', '1']);
      await store.write([within('1', undefined, 'd'), within('2', 'g', undefined)]);
      expect(await where()).toEqual(['2', '', '', '1']);
      await store.write([{ delete: '1' }, { delete: '2' }]);
      expect(await where()).toEqual(['', '', '', '']);
    });

    test('a store counts a group and a collection', async () => {
      const store = fresh();
      const counts = () =>
        Promise.all([
          store.count({ group: 'g' }),
          store.count({ group: 'h' }),
          store.count({ collection: 'c' }),
          store.count({ collection: 'd' }),
        ]);
      expect(await counts()).toEqual([0, 0, 0, 0]);
      await store.write([
        within('1', 'g', 'c'),
        within('2', 'g', 'c'),
        within('3', 'h', 'c'),
        within('4', 'g 2', 'c 2'),
        within('5', 'c', 'g'),
        within('6', undefined, undefined),
        within('7', 'f', 'b'),
      ]);
      expect(await counts()).toEqual([2, 1, 3, 0]);
      await store.write([{ ...within('1', 'g', 'c'), body: 'put again' }]);
      expect(await counts()).toEqual([2, 1, 3, 0]);
      await store.write([within('1', 'h', 'd')]);
      expect(await counts()).toEqual([1, 2, 2, 1]);
      await store.change(['2'], () => ({ changes: [{ delete: '2' }, within('8', 'g', 'd')], result: 0 }));
      expect(await counts()).toEqual([1, 2, 1, 2]);
      await store.write(['1', '3', '8'].map((key) => ({ delete: key })));
      expect(await counts()).toEqual([0, 0, 0, 0]);
    });

    test('a store lists each group once, in order, by prefix', async () => {
      const store = fresh();
      await store.write([
        put('1', 0, 'w b'),
        put('2', 0, 'w a'),
        put('3', 0, 'w a'),
        put('4', 0, 'x'),
        put('5'),
      ]);
      expect(await store.groups('w ')).toEqual(['w a', 'w b']);
      expect(await store.groups('w ', 1)).toEqual(['w a']);
      expect(await store.groups('y')).toEqual([]);
      await store.write([{ delete: '1' }]);
      expect(await store.groups('w ')).toEqual(['w a']);
      await store.write([put('6', 0, 'w b')]);
      expect(await store.groups('w ')).toEqual(['w a', 'w b']);
    });
  });

  describe('an atomic change', () => {
    const add =
      (by: number) =>
      ([found]: readonly (Item | undefined)[]): Transaction<number> => {
        const sum = ((found?.value as number | undefined) ?? 0) + by;
        return { changes: [put('sum', sum)], result: sum };
      };

    test('atomic changes read and write as one, however many there are at once', async () => {
      const store = fresh();
      const sums = await Promise.all(
        Array.from({ length: 50 }, () => store.change(['sum'], add(1), { strict: true })),
      );
      expect(sums.sort((a, b) => a - b)).toEqual(Array.from({ length: 50 }, (_, at) => at + 1));
      expect((await store.get('sum'))?.value).toBe(50);
    });

    test('atomic changes take place in the order of their calls, whatever their bodies', async () => {
      const store = fresh();
      const bodies = [new Blob(['first']), 'second', null, new Blob(['fourth'])];
      await Promise.all(
        bodies.map((body, nth) =>
          store.change(['all'], ([found]) => {
            const before = (found?.value as number[] | undefined) ?? [];
            return { changes: [{ ...put('all', [...before, nth]), body }], result: nth };
          }),
        ),
      );
      expect((await store.get('all'))?.value).toEqual([0, 1, 2, 3]);
      expect(await text(await store.body('all'))).toBe('fourth');
    });

    test('an atomic change that throws changes nothing, and rejects alone', async () => {
      const store = fresh();
      const bug = new Error('mine');
      const outcomes = await Promise.allSettled([
        store.change(['sum'], add(1)),
        store.change(['sum'], () => {
          throw bug;
        }),
        store.change(['sum'], add(1)),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      expect((outcomes[1] as PromiseRejectedResult).reason).toBe(bug);
      expect((await store.get('sum'))?.value).toBe(2);
    });

    test('an atomic change that cannot be stored leaves nothing behind, and fails no other change', async () => {
      const store = fresh();
      const outcomes = await Promise.allSettled([
        store.change(['sum'], add(1)),
        store.change([], () => ({ changes: [put('before', 1), put('bad', () => {})], result: 0 })),
        store.change(['sum'], add(1)),
      ]);
      expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
      await expect(store.write([put('before', 1), put('bad', () => {})])).rejects.toThrow();
      expect((await store.get('sum'))?.value).toBe(2);
      expect(keys(await store.range({}))).toEqual(['sum']);
    });

    test('an atomic change may touch several keys, delete and put again', async () => {
      const store = fresh();
      await store.write([{ ...put('a', 1), body: 'old' }, put('b', 2)]);
      const found = await store.change(['a', 'b', 'c'], (items) => ({
        changes: [{ delete: 'a' }, { ...put('c', 3), body: 'new' }],
        result: items.map((item) => item?.value),
      }));
      expect(found).toEqual([1, 2, undefined]);
      expect(keys(await store.range({}))).toEqual(['b', 'c']);
      await Promise.all([
        store.change(['c'], () => ({ changes: [{ delete: 'c' }], result: 0 })),
        store.change(['c'], ([item]) => ({ changes: [put('c', item ?? 'gone')], result: 0 })),
      ]);
      expect((await store.get('c'))?.value).toBe('gone');
      expect(await store.body('c')).toBeUndefined();
    });

    test('an atomic change may change nothing', async () => {
      const store = fresh();
      expect(await store.change([], () => ({ changes: [], result: 'seen' }))).toBe('seen');
    });
  });

  test('a strict change is there for the next store', async () => {
    const { store, reopen } = open();
    await store.change([], () => ({ changes: [{ ...within('a', 'g', 'c'), body: 'body' }], result: 0 }), {
      strict: true,
    });
    await store.close();
    const again = reopen?.() ?? store;
    expect(await again.body('a')).toBe('body');
    expect(await again.count({ collection: 'c' })).toBe(1);
    expect(await again.groups('')).toEqual(['g']);
  });
}
