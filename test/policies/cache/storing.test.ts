import { describe, expect, test } from 'vitest';
import { sourceOf } from '../../../src/core/outcome.ts';
import type { AtomicStore, Change, Item, Store } from '../../../src/core/store.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { networkError, ok } from '../../../src/testing.ts';
import { cachePage, fresh, URL_ } from '../../support/cache-page.ts';
import { durableStore } from '../../support/durable.ts';
import { quiet } from '../../support/platform.ts';

const PREFIX = 'response ';

const records = (store: AtomicStore): Promise<Item[]> => store.range({ prefix: PREFIX });

/** A body that the test feeds piece by piece. */
function fed(headers: Record<string, string> = {}) {
  let controller!: ReadableStreamDefaultController<Uint8Array>;
  const stream = new ReadableStream<Uint8Array>({
    start: (given) => {
      controller = given;
    },
  });
  const response = new Response(stream, { headers: { 'cache-control': 'max-age=60', ...headers } });
  return { response, feed: (text: string) => controller.enqueue(new TextEncoder().encode(text)), controller };
}

describe('a body', () => {
  test('streams to the caller, and is stored when it has ended', async () => {
    const { fetch, origin, store } = cachePage();
    const { response, feed, controller } = fed();
    origin.replies(response);
    const reader = (await fetch(URL_, { holdfast: { timeout: false } })).body?.getReader();
    feed('one');
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe('one');
    expect(await records(store)).toEqual([]);
    controller.close();
    await reader?.read();
    await quiet();
    expect(await records(store)).toHaveLength(1);
  });

  test('with chunks that share their memory, as Node’s buffers do, is stored unchanged', async () => {
    /** Its `slice` copies no bytes. */
    class SharedBytes extends Uint8Array<ArrayBuffer> {
      override slice(from = 0, to = this.length): Uint8Array<ArrayBuffer> {
        return super.subarray(from, to);
      }
    }
    const { read, origin } = cachePage();
    const { response, controller } = fed();
    controller.enqueue(new SharedBytes(new TextEncoder().encode('shared').buffer));
    controller.close();
    origin.replies(response, networkError());
    expect(await read()).toEqual([200, 'network', 'shared']);
    expect(await read()).toEqual([200, 'cache', 'shared']);
  });

  test('shorter or longer than its Content-Length is not stored, also if the platform accepts it', async () => {
    const { read, origin, store, emitted } = cachePage();
    origin.replies(ok('half', { headers: { 'content-length': '8', 'cache-control': 'max-age=60' } }));
    await read();
    expect(await records(store)).toEqual([]);
    expect(emitted('cache-discarded')).toMatchObject([{ reason: 'incomplete', url: URL_ }]);
  });

  test('with a Content-Length over the limit is not buffered', async () => {
    const { read, origin, emitted } = cachePage({ maxEntryBytes: 10 });
    origin.replies(ok('x'.repeat(11), { headers: { 'content-length': '11' } }), ok('x'.repeat(12)));
    await read();
    await read();
    expect(emitted('cache-discarded').map(({ reason }) => reason)).toEqual(['too-large', 'too-large']);
  });

  test.each([0, 1, 59_999, 60_000, 600_000])('of %i bytes is read back unchanged', async (size) => {
    const bytes = Uint8Array.from({ length: size }, (_, at) => (at * 7) % 251);
    const { fetch, clock, origin, read } = cachePage({ mode: 'cache-first', memory: false });
    origin.replies(new Response(bytes, { headers: { 'cache-control': 'max-age=60' } }));
    await read();
    const response = await fetch(URL_);
    expect(sourceOf(response)).toBe('cache');
    const clone = response.clone();
    expect(new Uint8Array(await clock.busy(response.arrayBuffer()))).toEqual(bytes);
    expect(new Uint8Array(await clock.busy(clone.arrayBuffer()))).toEqual(bytes);
  });

  test('without bytes is read back empty', async () => {
    const { read, origin } = cachePage({ mode: 'cache-first' });
    origin.replies(new Response(null, { status: 204, headers: { 'cache-control': 'max-age=60' } }));
    await read();
    expect(await read()).toEqual([204, 'cache', '']);
  });
});

describe('of two responses', () => {
  test('the later one stays, whichever is written last', async () => {
    const store = durableStore();
    const [one, other] = [cachePage({ store }), cachePage({ store })];
    const { response, controller, feed } = fed();
    one.origin.replies(response);
    const early = (await one.fetch(URL_, { holdfast: { timeout: false } })).text();
    await one.clock.advance(1_000);
    await other.clock.advance(1_000);
    other.origin.replies(fresh('later'));
    await other.read();
    feed('earlier');
    controller.close();
    await early;
    await quiet();
    expect(await records(store)).toHaveLength(1);
    one.origin.otherwise(networkError());
    expect((await one.read())[2]).toBe('later');
  });

  test('a URL has one cached response for each variant', async () => {
    const { read, origin, store } = cachePage();
    origin.otherwise((request) => fresh(`${request.headers.get('x-kind')}`, 60, { vary: 'X-Kind' }));
    for (const kind of ['a', 'b', 'a', 'b', 'a']) await read(URL_, { headers: { 'x-kind': kind } });
    expect(await records(store)).toHaveLength(2);
  });
});

describe('a record', () => {
  /** Damages the only cached response in the store, without the cache. */
  const damaged = async (damage: (item: Item) => Change): Promise<ReturnType<typeof cachePage>> => {
    const page = cachePage({ mode: 'cache-first', memory: false });
    page.origin.replies(fresh('one'));
    page.origin.otherwise(fresh('two'));
    await page.read();
    const [item] = await records(page.store);
    await page.store.write([damage(item as Item)]);
    return page;
  };
  const value = (item: Item): Record<string, unknown> => item.value as Record<string, unknown>;

  test.each<[string, (item: Item) => Change]>([
    ['without its body', (item) => ({ put: item, body: null })],
    ['with half its body', (item) => ({ put: item, body: new Uint8Array([1]) })],
    ['with a body of another kind', (item) => ({ put: item, body: 'one' })],
    ['with nothing for a body', (item) => ({ put: item, body: '' })],
    [
      'without the URL that it came from',
      (item) => {
        const cached = value(item).response as { response: object };
        const response = { ...cached.response, url: 7 };
        return { put: { ...item, value: { ...value(item), response: { ...cached, response } } } };
      },
    ],
    ['of an older schema', (item) => ({ put: { ...item, value: { ...value(item), schema: 0 } } })],
    ['of a newer schema', (item) => ({ put: { ...item, value: { ...value(item), schema: 99 } } })],
    ['without headers', (item) => ({ put: { ...item, value: { ...value(item), response: { url: URL_ } } } })],
    ['that is nothing', (item) => ({ put: { ...item, value: null } })],
    ['that is text', (item) => ({ put: { ...item, value: 'cached' } })],
    ['that is a list', (item) => ({ put: { ...item, value: [] } })],
  ])('%s is deleted, and not served', async (_, damage) => {
    const { read, cache, emitted } = await damaged(damage);
    expect(await read()).toEqual([200, 'network', 'two']);
    expect(emitted('cache-discarded')).toMatchObject([{ reason: 'unreadable' }]);
    expect(await cache.entries()).toHaveLength(1);
    expect(await cache.usage()).toEqual({ entries: 1, bytes: 3 });
  });

  test('with changed text is not served', async () => {
    const { read } = await damaged((item) => ({
      put: {
        ...item,
        value: { ...value(item), response: { ...(value(item).response as object), partition: 'bob' } },
      },
    }));
    expect((await read())[1]).toBe('network');
  });
});

describe('the limits', () => {
  test('hold over tabs that miss each other’s writes', async () => {
    const store = durableStore();
    const tabs = [cachePage({ store, maxEntries: 10 }), cachePage({ store, maxEntries: 10 })];
    for (let n = 0; n < 40; n++) {
      await tabs[n % 2]?.read(`${URL_}/${n}`);
      for (const { clock } of tabs) await clock.advance(60_000);
    }
    expect(await records(store)).toHaveLength(10);
    expect(await tabs[0]?.cache.usage()).toEqual({ entries: 10, bytes: 20 });
    const urls = (await tabs[1]?.cache.entries())?.map(({ url }) => url);
    expect(urls).toContain(`${URL_}/39`);
    expect(urls).not.toContain(`${URL_}/5`);
  });

  test('are counted without reading the entries', async () => {
    const store = durableStore();
    const { read, clock } = cachePage({ store, maxEntries: 200, memory: false });
    for (let n = 0; n < 200; n++) {
      await read(`${URL_}/${n}`);
      await clock.advance(1_000);
    }
    let itemsRead = 0;
    for (const name of ['range', 'rangeWithBodies'] as const) {
      const native = store[name] as (query: never) => Promise<Item[]>;
      store[name] = async (query: never) => {
        const items = await native(query);
        itemsRead += items.length;
        return items as never;
      };
    }
    await read(`${URL_}/another`);
    // A page of the oldest, of which one is evicted.
    expect(itemsRead).toBeLessThan(70);
    const later = cachePage({ store, maxEntries: 200 });
    itemsRead = 0;
    await later.read(`${URL_}/199`);
    expect(itemsRead).toBeLessThan(5);
  });

  test('an entry in use is not evicted, though uses are seldom written', async () => {
    const { read, clock, origin, cache, store } = cachePage({ maxEntries: 2, mode: 'cache-first' });
    origin.otherwise(() => fresh('cached', 86_400));
    await read(`${URL_}/1`);
    await clock.advance(120_000);
    await read(`${URL_}/2`);
    let writes = 0;
    const { change } = store;
    store.change = (...args) => {
      writes++;
      return change(...args);
    };
    await clock.advance(120_000);
    for (let n = 0; n < 100; n++) await read(`${URL_}/1`);
    expect(writes).toBe(1);
    await read(`${URL_}/3`);
    expect((await cache.entries()).map(({ url }) => url)).toEqual([`${URL_}/1`, `${URL_}/3`]);
  });
});

describe('a full disk', () => {
  test('evicts the least recently used quarter, and tries once more', async () => {
    const store = durableStore();
    const { change } = store;
    store.change = async (keys, decide, options) => {
      const room = 8 - (await records(store)).length;
      return change(
        keys,
        (found) => {
          const decision = decide(found);
          if (room <= 0 && decision.changes.some((each) => 'put' in each && each.body))
            throw new DOMException('full', 'QuotaExceededError');
          return decision;
        },
        options,
      );
    };
    const { read, clock, emitted, cache } = cachePage({ store });
    for (let n = 0; n < 9; n++) {
      await read(`${URL_}/${n}`);
      await clock.advance(60_000);
    }
    expect(emitted('cache-evicted')).toMatchObject([{ entries: 2, bytes: 4 }]);
    expect(emitted('store-failed')).toEqual([]);
    const urls = (await cache.entries()).map(({ url }) => url);
    expect(urls).toEqual([2, 3, 4, 5, 6, 7, 8].map((n) => `${URL_}/${n}`));
  });

  test('has room for deletions: a sign-out, a write, the quarter', async () => {
    const store = durableStore();
    const { read, fetch, cache, origin } = cachePage({ store, memory: false });
    for (let n = 0; n < 8; n++) await read(`${URL_}/${n}`);
    const { change, write } = store;
    const isFull = async (puts: boolean) => {
      if (puts) throw new DOMException('full', 'QuotaExceededError');
    };
    store.change = async (keys, decide, options) => {
      let puts = false;
      const result = await change(
        keys,
        (found) => {
          const decision = decide(found);
          puts = decision.changes.some((each) => 'put' in each);
          return puts ? { ...decision, changes: [] } : decision;
        },
        options,
      );
      await isFull(puts);
      return result;
    };
    store.write = async (changes) => {
      await isFull(changes.some((each) => 'put' in each) && (await records(store)).length > 4);
      return write(changes);
    };
    await fetch(`${URL_}/0`, { method: 'PUT', body: 'x' });
    expect((await records(store)).length).toBe(7);
    origin.replies(ok('large'));
    await read(`${URL_}/large`);
    expect((await records(store)).length).toBeLessThan(7);
    await cache.clear({ partition: 'ann' });
    expect(await records(store)).toEqual([]);
  });

  test('leaves a read uncached with an event if that is not enough', async () => {
    const { read, store, emitted } = cachePage({ validators: 'platform' });
    store.break('fail');
    expect(await read()).toEqual([200, 'network', 'ok']);
    expect(emitted('store-failed')).toMatchObject([{ operation: 'keep' }]);
  });
});

describe('an entry that was used last', () => {
  test('is in memory, and needs no store', async () => {
    const { read, store } = cachePage({ mode: 'cache-first' });
    const page = cachePage({ mode: 'cache-first', store });
    page.origin.otherwise(() => fresh('cached'));
    await page.read();
    store.break('hang');
    expect(await page.read()).toEqual([200, 'cache', 'cached']);
    store.heal();
    expect((await read())[1]).toBe('cache');
  });

  test('is in memory only within the limit', async () => {
    const { read, store, origin } = cachePage({ mode: 'cache-first', memory: '8kB' });
    origin.otherwise(() => fresh('x'.repeat(1_000)));
    for (let n = 0; n < 10; n++) await read(`${URL_}/${n}`);
    store.break('fail');
    expect((await read(`${URL_}/9`))[1]).toBe('cache');
    expect((await read(`${URL_}/0`))[1]).toBe('network');
  });
});

test('a store that does not respond is not used for a while, so that not every read waits', async () => {
  const { fetch, read, store, clock } = cachePage({ mode: 'cache-first', memory: false });
  await read();
  store.break('hang');
  const before = clock.ticks();
  await fetch(URL_);
  expect(clock.ticks() - before).toBe(2_000);
  await fetch(URL_);
  expect(clock.ticks() - before).toBe(2_000);
});

test('the limits hold in a plain store, without atomic changes, as well', async () => {
  const { get, body, range, rangeWithBodies, write, close } = memoryStore();
  const plain = { name: 'plain', durable: false, get, body, range, rangeWithBodies, write, close };
  const { read, origin, cache, clock } = cachePage({ store: plain, maxEntries: 2, mode: 'cache-first' });
  origin.otherwise(() => fresh('cached'));
  for (let n = 0; n < 4; n++) {
    await read(`${URL_}/${n}`);
    await clock.advance(1_000);
  }
  expect((await read(`${URL_}/3`))[1]).toBe('cache');
  expect((await cache.entries()).map(({ url }) => url)).toEqual([`${URL_}/2`, `${URL_}/3`]);
});

test('an eviction ends if the listing of a store still has deleted entries, as that of Workers KV', async () => {
  const { change: _, groups: __, count: ___, ...plain } = memoryStore();
  const deleted = new Map<string, Item>();
  let listings = 0;
  const late: Store = {
    ...plain,
    async range(query) {
      if (++listings > 1_000) throw new Error('the eviction does not end');
      const gone = [...deleted.values()].filter(({ key }) => key.startsWith(query.prefix ?? ''));
      return [...gone, ...(await plain.range(query))].slice(0, query.limit);
    },
    async write(changes) {
      for (const change of changes) {
        const item = 'delete' in change && (await plain.get(change.delete));
        if (item) deleted.set(item.key, item);
      }
      await plain.write(changes);
    },
  };
  const { read, origin, emitted } = cachePage({ store: late, maxEntries: 3 });
  origin.otherwise(() => ok('x'));
  for (let nth = 0; nth < 8; nth++) await read(`${URL_}/${nth}`);
  expect(emitted('store-failed')).toEqual([]);
  deleted.clear();
  await read(`${URL_}/8`);
  expect(await plain.range({ prefix: PREFIX })).toHaveLength(3);
});

test('an origin that varies by a unique header does not fill the cache with one URL', async () => {
  const { read, origin, cache, clock } = cachePage();
  origin.otherwise(() => fresh('cached', 60, { vary: 'x-request-id' }));
  for (let n = 0; n < 30; n++) {
    await read(URL_, { headers: { 'x-request-id': `${n}` } });
    await clock.advance(1_000);
  }
  const kept = (await cache.entries()).map(({ varying }) => Number(varying['x-request-id']));
  expect(kept.sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 10));
});

test('a stream of events has no end, and is not stored', async () => {
  const { read, store, origin } = cachePage();
  origin.replies(ok('data: 1\n\n', { headers: { 'content-type': 'text/event-stream' } }));
  await read();
  expect(await records(store)).toEqual([]);
});

test.each(['own', 'platform'] as const)(
  'a connection that close() has released is not opened again by a pending write: %s',
  async (validators) => {
    const store = durableStore();
    const { fetch } = cachePage({ store, validators });
    const happened: string[] = [];
    const { change } = store;
    store.close = async () => void happened.push('close');
    store.change = async (...args) => {
      await quiet();
      happened.push('write');
      return change(...args);
    };
    await (await fetch(URL_)).text();
    await fetch.close();
    for (let turn = 0; turn < 20; turn++) await quiet();
    expect(happened.at(-1)).toBe('close');
    expect(happened.filter((each) => each === 'close')).toHaveLength(1);
  },
);

test('a read with integrity goes to the network, where the platform checks it', async () => {
  const { read, origin, fetch } = cachePage({ mode: 'cache-first' });
  origin.replies(fresh('cached'), networkError());
  await read();
  const request = Object.defineProperty(new Request(URL_), 'integrity', { value: 'sha256-x' });
  await expect(fetch(request)).rejects.toThrow(TypeError);
});

test('the limits hold after a clock was set back', async () => {
  const { read, clock, cache } = cachePage({ maxEntries: 3 });
  for (let n = 0; n < 8; n++) {
    await read(`${URL_}/${n}`);
    clock.jump(-3_600_000);
  }
  expect(await cache.usage()).toEqual({ entries: 3, bytes: 6 });
});

test('a count that is too high evicts nothing', async () => {
  const { read, cache, store, emitted } = cachePage({ maxEntries: 3 });
  for (const n of [0, 1, 2]) await read(`${URL_}/${n}`);
  await store.write((await records(store)).map(({ key }) => ({ delete: key })));
  for (const n of [3, 4, 5]) await read(`${URL_}/${n}`);
  expect((await cache.entries()).length).toBeGreaterThan(0);
  expect(await cache.usage()).toMatchObject({ entries: (await cache.entries()).length });
  expect(emitted('store-failed')).toEqual([]);
});

test('an entry that is replaced during a read gives the reader the new one', async () => {
  const inner = durableStore();
  let replace: (() => Promise<unknown>) | undefined;
  const store = {
    ...inner,
    async body(key: string) {
      const work = replace;
      replace = undefined;
      await work?.();
      return inner.body(key);
    },
  };
  const { origin, fetch, read, emitted, clock } = cachePage({ store, validators: 'platform' });
  const alone = { holdfast: { dedupe: false } };
  // Too large for memory, where it could not be lost.
  const large = (letter: string) => fresh(letter.repeat(70_000), 0);
  origin.replies(large('1'), networkError());
  await read();
  // The cache reads the store again in the background, and so leaves the row in memory without its
  // body.
  await read(URL_, { holdfast: { staleCache: { mode: 'stale-while-revalidate' } } });
  origin.replies(networkError(), large('2'));
  const another = async () => {
    await (await fetch(URL_, alone)).text();
    await quiet();
  };
  replace = () => clock.busy(another());
  const [status, source, text] = await read(URL_, alone);
  expect([status, source, text[0], text.length]).toEqual([200, 'stale', '2', 70_000]);
  expect(emitted('cache-discarded')).toEqual([]);
});

test('a store without atomic changes is not listed for each stored response', async () => {
  const { get, body, range, rangeWithBodies, write, close } = memoryStore();
  let listings = 0;
  const plain = {
    name: 'plain',
    durable: true,
    get,
    body,
    range: (query: Parameters<typeof range>[0]) => {
      // All cached responses, and not those of one URL.
      if (query.prefix === 'response ') listings++;
      return range(query);
    },
    rangeWithBodies,
    write,
    close,
  };
  const { read, origin, cache } = cachePage({ store: plain as never, maxEntries: 30 });
  origin.otherwise(() => fresh('cached'));
  for (let nth = 0; nth < 25; nth++) await read(`${URL_}/${nth}`);
  expect(listings).toBeLessThan(6);
  for (let nth = 25; nth < 60; nth++) await read(`${URL_}/${nth}`);
  expect(await cache.usage()).toMatchObject({ entries: 30 });
});
