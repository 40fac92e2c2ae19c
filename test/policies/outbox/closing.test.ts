/** `close()` leaves no work, no open connection and no write that is sent twice. */
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Policy } from '../../../src/core/contract.ts';
import { pipeline } from '../../../src/core/pipeline.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { sleep } from '../../../src/primitives/clock.ts';
import { withLocalLock } from '../../../src/primitives/locks.ts';
import { indexedDBStore } from '../../../src/stores/indexeddb/indexeddb.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { macrotask } from '../../../src/testing/clock.ts';
import { ok, testHost, type VirtualClock, virtualClock } from '../../../src/testing.ts';
import { durableStore, type FaultyStore } from '../../support/durable.ts';
import { guardedStore } from '../../support/guarded-store.ts';
import { closeAfterTest, POST, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';
import { give, sent } from '../../support/outbox-writes.ts';
import { quiet } from '../../support/platform.ts';

describe('close', () => {
  test('close during an acknowledgement leaves no change of the store for later', async () => {
    const store = durableStore();
    const before = page({}, store);
    before.host.connectivity.set(false);
    for (const each of ['1', '2', '3']) await give(before, each);
    await before.fetch.close();
    before.host.connectivity.set(true);
    const here = page({}, store, before);
    const { change } = store;
    let closed = false;
    let late = 0;
    let letGo = (): void => {};
    const gate = new Promise<void>((free) => {
      letGo = free;
    });
    store.change = (async (...args: Parameters<typeof change>) => {
      // Without locks the page needs the lane first.
      if (!args[0][0]?.startsWith('lease')) await here.clock.busy(gate);
      if (closed) late++;
      return change(...args);
    }) as typeof change;
    void here.outbox.flush().catch(() => {});
    await settle();
    expect(sent(here).length).toBeGreaterThan(0);
    const closing = here.fetch.close().then(() => {
      closed = true;
    });
    await settle();
    const isClosed = closed;
    letGo();
    await closing;
    await settle();
    expect({ isClosed, late }).toEqual({ isClosed: false, late: 0 });
  });
});

test('an at-most-once write that waits for a slot when its page closes is sent by the next page', async () => {
  const store = durableStore();
  const host = testHost({ clock: virtualClock({ quiet }) });
  let arrived = 0;
  const open = (...policies: Policy[]) => {
    const outbox = outboxPolicy({ store, delivery: 'at-most-once' }, memoryStore);
    const fetch = pipeline([outbox, ...policies], {
      partition: 'ann',
      host,
      fetch: async () => {
        arrived++;
        return ok();
      },
    });
    closeAfterTest(fetch);
    return { outbox, fetch };
  };
  let reached = (): void => {};
  const atPolicy = new Promise<void>((done) => {
    reached = done;
  });
  const full: Policy = (next) => (request, call) => {
    reached();
    return sleep(60_000, call).then(() => next(request, call));
  };
  const before = open(full);
  const given = before.fetch(URL_, POST).catch(() => {});
  await atPolicy;
  await before.fetch.close();
  await given;
  const { outbox, fetch } = open();
  await outbox.flush();
  await host.clock.advance(120_000);
  expect(arrived).toBe(1);
  expect(await outbox.entries({ state: 'dead-letter' })).toEqual([]);
  await fetch.close();
});

test('an outbox in a Worker makes no abort signal before the first call', async () => {
  const { AbortController: Platforms } = globalThis;
  const host = testHost({ canShareIO: false });
  let made = 0;
  globalThis.AbortController = class extends Platforms {
    constructor() {
      super();
      made++;
    }
  };
  try {
    const policy = outboxPolicy({ store: durableStore() }, memoryStore);
    const fetch = pipeline([policy], { name: 'starting worker', partition: 'ann', host });
    expect(made).toBe(0);
    await fetch.close();
  } finally {
    globalThis.AbortController = Platforms;
  }
});

test('a write without a key whose 201 arrives while the page closes is not sent again', async () => {
  const before = page({ idempotencyHeader: false });
  const unfinished = new ReadableStream({ start: (controller) => controller.enqueue(new Uint8Array(3)) });
  before.origin.replies(new Response(unfinished, { status: 201 }));
  const given = give(before, '1').catch(() => {});
  // Until its response is being read, and no longer.
  for (let turn = 0; turn < 50 && before.emitted('attempt-ended').length === 0; turn++) await macrotask();
  const here = await reloaded(before, { idempotencyHeader: false });
  await given;
  await here.outbox.flush();
  expect(sent(here)).toEqual(['1']);
});

test('a pipeline whose construction throws leaves no name and no timer behind', async () => {
  const broken = () => {
    throw new Error('a policy of the application’s own');
  };
  const host = testHost();
  const make = (policies: Policy[]) =>
    pipeline([...policies, outboxPolicy({ store: memoryStore() }, memoryStore)], {
      name: 'made again',
      partition: 'ann',
      host,
    });
  expect(() => make([broken])).toThrow('own');
  await settle();
  expect(host.clock.pending).toBe(0);
  closeAfterTest(make([]));
});

describe.skipIf(typeof indexedDB !== 'object')('close and IndexedDB connections', () => {
  const openNow = new Set<IDBDatabase>();
  const { open: nativeOpen } = globalThis.IDBFactory?.prototype ?? {};
  const { close: nativeClose } = globalThis.IDBDatabase?.prototype ?? {};
  beforeEach(() => {
    openNow.clear();
    IDBFactory.prototype.open = function (...args) {
      const request = (nativeOpen as IDBFactory['open']).apply(this, args);
      request.addEventListener('success', () => openNow.add(request.result));
      return request;
    };
    IDBDatabase.prototype.close = function () {
      openNow.delete(this);
      (nativeClose as IDBDatabase['close']).call(this);
    };
  });
  afterEach(() => {
    IDBFactory.prototype.open = nativeOpen as IDBFactory['open'];
    IDBDatabase.prototype.close = nativeClose as IDBDatabase['close'];
  });

  test.each([
    ['with locks', true],
    ['with leases', false],
  ])(
    'close leaves no IndexedDB connection, though an acknowledgement was under way (%s)',
    async (_, withinOrigin) => {
      let clock: VirtualClock | undefined;
      const inner = indexedDBStore({ name: `closing ${crypto.randomUUID()}` });
      let began = (): void => {};
      const taking = new Promise<void>((give) => {
        began = give;
      });
      const slow = guardedStore(inner, (work) => {
        const whole = async () => {
          if (here.emitted('attempt-ended').length > 0) {
            began();
            await macrotasks(10);
          }
          return work();
        };
        // Time stands still while the store works.
        return clock?.busy(whole()) ?? whole();
      });
      const here = page({}, { ...slow, withinOrigin } as FaultyStore);
      clock = here.clock;
      here.origin.replies(ok());
      const given = give(here, 'a').catch(() => {});
      await taking;
      await here.fetch.close();
      await given;
      await macrotasks(50);
      expect(openNow.size).toBe(0);
    },
  );
});

async function macrotasks(count: number): Promise<void> {
  for (let turn = 0; turn < count; turn++) await macrotask();
}

test('over a store with its own lock, a new pipeline sends no entry that the closing one is acknowledging', async () => {
  const store = Object.assign(durableStore(), { lock: withLocalLock({}) });
  const before = page({}, store);
  before.host.connectivity.set(false);
  await give(before, 'a');
  let letGo = (): void => {};
  const gate = new Promise<void>((done) => {
    letGo = done;
  });
  const { change } = store;
  store.change = async (...args) => {
    await before.clock.busy(gate);
    return change(...(args as Parameters<typeof change>)) as never;
  };
  before.host.connectivity.set(true);
  for (let turn = 0; turn < 10; turn++) await settle();
  expect(sent(before)).toEqual(['a']);
  const closed = before.fetch.close();
  const after = page({}, store, before);
  const flushed = after.outbox.flush();
  for (let turn = 0; turn < 10; turn++) await settle();
  letGo();
  await Promise.all([closed, flushed]);
  expect(sent(after)).toEqual(['a']);
});

test('result() of a pipeline that closes at any moment rejects with ClosedError', async () => {
  for (let turns = 0; turns < 30; turns++) {
    const here = page({}, durableStore());
    here.host.connectivity.set(false);
    await give(here, 'a', { id: 'a' });
    const { get } = here.store;
    let isArmed = false;
    here.store.get = async (key) => {
      const found = await get(key);
      if (key.startsWith('entry') && !isArmed) {
        isArmed = true;
        void (async () => {
          for (let turn = 0; turn < turns; turn++) await undefined;
          void here.fetch.close();
        })();
      }
      return found;
    };
    const error = await here.outbox.result('a').catch((error) => error);
    expect(`${turns} ${error.name}`).toBe(`${turns} ClosedError`);
  }
});

test('close releases a lane although the transport ignores the abort', async () => {
  const host = testHost({ clock: virtualClock({ quiet }) });
  const store = durableStore();
  const first = outboxPolicy({ store, pollInterval: '1h' }, memoryStore);
  const deaf = pipeline([first], { partition: 'ann', host, fetch: () => new Promise(() => {}) });
  await Promise.all([deaf(URL_, POST), host.clock.advance(3_000)]);
  await Promise.all([deaf.close(), host.clock.advance(30_000)]);
  const second = outboxPolicy({ store, pollInterval: '1h' }, memoryStore);
  const arrived: string[] = [];
  const fetch = pipeline([second], {
    partition: 'ann',
    host,
    fetch: async (request) => {
      arrived.push(await request.text());
      return ok();
    },
  });
  closeAfterTest(fetch);
  await Promise.all([second.flush(), host.clock.advance(60_000)]);
  expect(arrived).toEqual(['order']);
});
