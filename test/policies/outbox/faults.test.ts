import { describe, expect, test } from 'vitest';
import { isQueued } from '../../../src/core/outcome.ts';
import { type Outbox, outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { networkError, ok, slow, status } from '../../../src/testing.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, idOf, POST, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';
import { scenario } from '../../support/scenario.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;

const withOutbox = (outbox: object, init: object = {}) => ({ ...POST, ...init, holdfast: { outbox } });

/** Marks a rejection as handled until the test looks at it. */
const handled = <T>(work: Promise<T>): Promise<T> => {
  work.catch(() => {});
  return work;
};

describe('a slow store', () => {
  test('a write that is rejected by timeout is not committed later, even if another page works on the queue', async () => {
    const store = durableStore();
    const { fetch, origin, outbox, clock } = page({}, store);
    const { change } = store;
    let begin = (): void => {};
    const begun = new Promise<void>((give) => {
      begin = give;
    });
    store.change = async (...args) => {
      await begun;
      return change(...(args as Parameters<typeof change>)) as never;
    };
    const response = handled(fetch(URL_, POST));
    await clock.advance(10_000);
    await expect(response).rejects.toMatchObject({ code: 'storage' });
    begin();
    await outbox.flush();
    await clock.advance(HOUR);
    expect([origin.seen.length, (await outbox.counts()).count]).toEqual([0, 0]);
  });

  test('a slow commit is awaited, and a write that is committed late gets its response', async () => {
    const store = durableStore();
    const { fetch, clock } = page({}, store);
    const { change } = store;
    store.change = async (...args) => {
      store.change = change;
      const done = await change(...(args as Parameters<typeof change>));
      await new Promise<void>((give) => void clock.after(11_000, give));
      return done as never;
    };
    expect((await fetch(URL_, POST)).status).toBe(200);
    expect(clock.ticks()).toBe(11_000);
  });

  test('a write whose commit never returns rejects with that reason', async () => {
    const store = durableStore();
    const { fetch, clock } = page({}, store);
    const { change } = store;
    store.change = (...args) => {
      void change(...(args as Parameters<typeof change>));
      return new Promise(() => {});
    };
    const response = handled(fetch(URL_, POST));
    await clock.advance(20_000);
    await expect(response).rejects.toMatchObject({
      code: 'storage-unknown',
      message: expect.stringMatching(/may or may not have been stored/),
    });
  });

  test('a slow commit is kept, even if its caller has aborted', async () => {
    const store = durableStore();
    const { fetch, origin, clock, emitted } = page({}, store);
    const { change } = store;
    store.change = async (...args) => {
      const done = await change(...(args as Parameters<typeof change>));
      await new Promise<void>((give) => void clock.after(100, give));
      return done as never;
    };
    const controller = new AbortController();
    const reason = new Error('mine');
    clock.after(50, () => controller.abort(reason));
    const response = handled(fetch(URL_, { ...POST, signal: controller.signal }));
    await clock.advance(60_000);
    await expect(response).rejects.toBe(reason);
    expect(origin.seen).toHaveLength(1);
    expect(emitted('queued')).toHaveLength(1);
  });

  test('a store that is slow or hangs does not delay close for ever', async () => {
    const { fetch, origin, store, clock } = page();
    origin.replies(networkError());
    await fetch(URL_, POST);
    store.break('hang');
    const waiting = handled(fetch(URL_, POST));
    await settle();
    const closed = fetch.close();
    await clock.advance(10_000);
    await closed;
    await expect(waiting).rejects.toThrow();
  });
});

describe('ids of writes', () => {
  test.each<[string, object]>([
    ['another body', { body: 'something else' }],
    ['another method', { method: 'PUT' }],
  ])(
    'an id that is used again for a write with %s is a conflict, and the first is kept',
    async (_, other) => {
      const { fetch, origin, outbox } = page();
      origin.replies(networkError());
      await fetch(URL_, withOutbox({ id: 'a' }));
      await expect(fetch(URL_, withOutbox({ id: 'a' }, other))).rejects.toMatchObject({
        code: 'id-conflict',
        category: 'configuration',
        message: expect.stringContaining("'a'"),
      });
      await expect(fetch(`${URL_}/7`, withOutbox({ id: 'a' }))).rejects.toMatchObject({
        code: 'id-conflict',
      });
      await outbox.flush();
      expect(origin.seen.map(({ body }) => body)).toEqual(['order', 'order']);
      await expect(fetch(URL_, withOutbox({ id: 'a' }, other))).rejects.toMatchObject({
        code: 'id-conflict',
      });
    },
  );

  test('an id is read again from an options object that was changed', async () => {
    const { fetch, origin } = page();
    const options = { id: 'a' };
    await fetch(URL_, withOutbox(options));
    options.id = 'b';
    await fetch(URL_, withOutbox(options, { body: 'second' }));
    expect(origin.seen.map(({ body }) => body)).toEqual(['order', 'second']);
  });

  test('an id of a form stays valid for the same form', async () => {
    const { fetch, origin } = page();
    const form = (): FormData => {
      const data = new FormData();
      data.set('field', 'value');
      return data;
    };
    await fetch(URL_, withOutbox({ id: 'a' }, { body: form() }));
    await fetch(URL_, withOutbox({ id: 'a' }, { body: form() }));
    expect(origin.seen).toHaveLength(1);
  });

  test('a delivered id responds at once, even if its lane is busy', async () => {
    const { fetch, origin } = page();
    origin.replies(ok('once'), () => new Promise(() => {}));
    await fetch(URL_, withOutbox({ id: 'a' }));
    // Without a limit: the next caller gets its 202 before any limit ends the attempt.
    const hangs = { ...POST, body: 'hangs', holdfast: { outbox: true, timeout: false } };
    expect(isQueued(await fetch(URL_, hangs))).toBe(true);
    expect(await (await fetch(URL_, withOutbox({ id: 'a' }))).text()).toBe('once');
  });

  test('the id of another user’s write shows nothing of its response', async () => {
    let user = 'ann';
    const { fetch, outbox, origin } = page({ user: () => user });
    origin.replies(networkError());
    const id = await idOf(await fetch(URL_, POST));
    await outbox.flush();
    expect((await outbox.result(id)).status).toBe(200);
    user = 'bob';
    await expect(outbox.result(id)).rejects.toMatchObject({ code: 'outbox-unknown' });
  });

  test('the id of a dead letter is known as long as the dead letter', async () => {
    const { fetch, outbox, origin, clock } = page();
    origin.replies(status(422));
    await fetch(URL_, withOutbox({ id: 'a' }));
    await clock.advance(3 * DAY);
    await expect(outbox.result('a')).rejects.toMatchObject({
      code: 'dead-lettered',
      reason: { status: 422 },
    });
    expect(await outbox.replay('a')).toBe(true);
    await settle();
    expect(origin.seen).toHaveLength(2);
  });

  test('a delivered id is not sent again, though no responses are kept', async () => {
    const { fetch, outbox, origin, clock, store } = page({ resultTtl: false });
    origin.replies(new Response('the answer', { headers: { 'x-secret': 'of the answer' } }));
    expect(await (await fetch(URL_, withOutbox({ id: 'a' }))).text()).toBe('the answer');
    expect(JSON.stringify(await store.range({}))).not.toContain('answer');
    expect(isQueued(await fetch(URL_, withOutbox({ id: 'a' })))).toBe(true);
    await expect(outbox.result('a')).rejects.toMatchObject({ code: 'result-lost', id: 'a' });
    expect(origin.seen).toHaveLength(1);
    await clock.advance(2 * DAY);
    expect(await store.range({ prefix: 'id ' })).toEqual([]);
  });
});

describe('the signed-in user', () => {
  test('a write is sent for the user that made it, however long the hook takes', async () => {
    let user = 'ann';
    const others = ['bob'];
    const { fetch, origin, outbox } = page({
      user: () => user,
      async authorize(request) {
        user = others.pop() ?? user;
        request.headers.set('authorization', `of ${user}`);
      },
    });
    expect(isQueued(await fetch(URL_, POST))).toBe(true);
    expect(origin.seen).toHaveLength(0);
    user = 'ann';
    await outbox.flush();
    expect(origin.seen.map(({ headers }) => headers.get('authorization'))).toEqual(['of ann']);
  });
});

describe('a removed entry', () => {
  test('an entry that is removed while the outbox reads it is not sent', async () => {
    const store = durableStore();
    const { fetch, outbox, origin, host } = page({}, store);
    host.connectivity.set(false);
    const id = await idOf(await fetch(URL_, POST));
    const { rangeWithBodies } = store;
    store.rangeWithBodies = async (query) => {
      const found = await rangeWithBodies(query);
      await outbox.remove(id);
      return found;
    };
    host.connectivity.set(true);
    await settle();
    expect(origin.seen).toHaveLength(0);
  });

  test('an entry that is removed while the entries before it are sent is not sent', async () => {
    const { fetch, outbox, origin, host } = page();
    host.connectivity.set(false);
    const ids: string[] = [];
    for (let nth = 0; nth < 5; nth++) ids.push(await idOf(await fetch(URL_, POST)));
    origin.replies(ok(), ok(), async () => {
      await outbox.remove(ids[3] as string);
      return ok();
    });
    host.connectivity.set(true);
    await outbox.flush();
    expect(origin.seen).toHaveLength(4);
  });

  test('an entry that another page removes without a broadcast is not sent after a moment', async () => {
    const store = durableStore();
    const { fetch, outbox, origin, host, clock } = page({}, store);
    host.connectivity.set(false);
    for (let nth = 0; nth < 5; nth++) await fetch(URL_, POST);
    const keys = (await outbox.entries()).map(({ key }) => key);
    origin.replies(
      ok(),
      ok(),
      slow(clock, 60, () => {
        void store.write([{ delete: keys[3] as string }]);
        return ok();
      }),
    );
    host.connectivity.set(true);
    const done = outbox.flush();
    await clock.advance(100);
    await done;
    expect(origin.seen).toHaveLength(4);
  });

  test('an entry that is removed while it is sent is emitted as removed, not as delivered', async () => {
    const { fetch, outbox, origin, emitted } = page();
    let id = '';
    origin.replies(networkError(), async () => {
      await outbox.remove(id);
      return ok();
    });
    id = await idOf(await fetch(URL_, POST));
    await outbox.flush();
    expect([emitted('removed').length, emitted('delivered').length]).toEqual([1, 0]);
  });

  test('an entry whose body the browser has deleted is a dead letter with the reason', async () => {
    const store = durableStore();
    const { fetch, outbox, origin } = page({}, store);
    origin.replies(networkError());
    await fetch(URL_, POST);
    const { rangeWithBodies } = store;
    store.rangeWithBodies = async (...query) =>
      (await rangeWithBodies(...query)).map((whole) => ({ ...whole, body: undefined }));
    await outbox.flush();
    expect(origin.seen).toHaveLength(1);
    expect(await outbox.entries({ state: 'dead-letter' })).toMatchObject([{ reason: { code: 'body-lost' } }]);
  });
});

describe('attempts that do not count', () => {
  test('an attempt does not count if a hook or the store failed before the request', async () => {
    const store = durableStore();
    let failing = true;
    const { fetch, outbox, origin, clock } = page(
      {
        attempts: 2,
        authorize: () => {
          if (failing) throw new Error('no token');
        },
      },
      store,
    );
    await fetch(URL_, POST);
    await clock.advance(DAY);
    expect((await outbox.entries())[0]).toMatchObject({
      attempts: 0,
      reason: { message: 'authorize: Error' },
    });
    failing = false;
    const { rangeWithBodies } = store;
    store.rangeWithBodies = () => Promise.reject(new Error('disk'));
    await clock.advance(DAY);
    store.rangeWithBodies = rangeWithBodies;
    await clock.advance(HOUR);
    expect(origin.seen).toHaveLength(1);
  });

  test('attempts do not count for an outage of half an hour, but days of outage end them', async () => {
    const { fetch, outbox, origin, clock } = page();
    origin.otherwise(networkError());
    await fetch(URL_, POST);
    await clock.advance(HOUR / 2);
    expect(origin.seen.length).toBeGreaterThan(8);
    expect((await outbox.entries())[0]?.attempts).toBe(0);
    await clock.advance(DAY);
    expect(await outbox.entries({ state: 'dead-letter' })).toMatchObject([
      { attempts: 10, reason: { code: 'attempts' } },
    ]);
    // With a wait of at most 15 min, about half of it on average.
    expect(origin.seen.length).toBeLessThan(150);
  });

  test('attempts do not count if the call sets no limit', async () => {
    const { fetch, origin } = page();
    const response = await fetch(URL_, {
      ...POST,
      holdfast: { outbox: true, timeout: { attempt: Number.POSITIVE_INFINITY } },
    });
    expect([response.status, origin.seen.length]).toEqual([200, 1]);
  });
});

describe('a 409', () => {
  test('a 409 has its three attempts also after other failures', async () => {
    const { fetch, origin, outbox, clock } = page();
    origin.replies(networkError(), status(503), status(503), status(409), status(409), ok());
    await fetch(URL_, POST);
    await clock.advance(HOUR);
    expect(origin.seen).toHaveLength(6);
    expect(await outbox.entries({ state: 'dead-letter' })).toEqual([]);
  });

  test('a 409 with an invalid decision of onConflict is a dead letter with that reason', async () => {
    const { fetch, origin, outbox, emitted } = page({ onConflict: () => 'retry' as never });
    origin.replies(status(409));
    await fetch(URL_, POST);
    expect(emitted('outbox-auth-required')).toEqual([]);
    expect(await outbox.entries({ state: 'dead-letter' })).toMatchObject([
      {
        reason: {
          status: 409,
          message: expect.stringMatching(/expected 'again', 'drop', 'dead-letter' or a Request/),
        },
      },
    ]);
  });
});

describe('a stored response', () => {
  test('a response that is too large to store keeps its status, and its body gives the reason', async () => {
    const { fetch, origin, outbox } = page();
    origin.replies(new Response(new Uint8Array(1_000_001), { status: 201, headers: { location: '/1' } }));
    const response = await fetch(URL_, withOutbox({ id: 'a' }));
    expect([response.status, response.headers.get('location')]).toEqual([201, '/1']);
    await expect(response.text()).rejects.toMatchObject({ code: 'result-lost' });
    const later = await outbox.result('a');
    expect(later.status).toBe(201);
    await expect(later.text()).rejects.toMatchObject({ message: expect.stringMatching(/too large/) });
  });

  test('a response whose body never ends holds up its lane for 10 s', async () => {
    const { fetch, origin, clock } = page();
    origin.replies(new Response(new ReadableStream({ pull: () => new Promise(() => {}) })));
    const first = fetch(URL_, POST);
    const second = fetch(URL_, { ...POST, body: 'second' });
    await clock.advance(11_000);
    expect([(await first).status, isQueued(await second)]).toEqual([202, true]);
    expect(origin.seen.map(({ body }) => body)).toEqual(['order', 'second']);
  });

  test('a request that authorize replaces is sent with the idempotency key', async () => {
    const { fetch, origin } = page({
      authorize: (request) => new Request(request.url, { method: request.method, body: 'signed' }),
    });
    await fetch(URL_, POST);
    expect(origin.seen[0]?.headers.get('idempotency-key')).toMatch(/^"/);
  });
});

describe('the wait of an entry', () => {
  test('a Retry-After of years is one day, and flush does not wait', async () => {
    const { fetch, origin, clock, outbox } = page();
    origin.replies(status(503, { 'retry-after': '99999999999' }), status(503, { 'retry-after': '600' }));
    await fetch(URL_, POST);
    await clock.advance(DAY - 1_000);
    expect(origin.seen).toHaveLength(1);
    await clock.advance(3_000);
    expect(origin.seen).toHaveLength(2);
    await outbox.flush();
    expect(origin.seen).toHaveLength(3);
  });

  test('a wait does not become longer when the clock is set back', async () => {
    const { fetch, origin, clock } = page();
    origin.replies(networkError());
    await fetch(URL_, POST);
    clock.jump(-30 * DAY);
    await clock.advance(2 * HOUR);
    expect(origin.seen).toHaveLength(2);
  });

  test('a wait ends when the network comes back, also in the middle of a drain', async () => {
    const { fetch, origin, host, clock } = page({ pollInterval: '1d' });
    origin.otherwise(networkError());
    await fetch(URL_, POST);
    await clock.advance(60_000);
    const { length } = origin.seen;
    origin.replies(async () => {
      host.connectivity.set(false);
      host.connectivity.set(true);
      throw new TypeError('gone again');
    });
    const before = clock.ticks();
    host.connectivity.set(true);
    host.connectivity.set(false);
    host.connectivity.set(true);
    await settle();
    expect([origin.seen.length - length, clock.ticks() - before]).toEqual([2, 0]);
  });
});

describe('a captive portal', () => {
  test('a captive portal is tried less and less often', async () => {
    const { fetch, origin, clock } = page();
    origin.otherwise(() =>
      Object.defineProperties(ok('please log in'), {
        redirected: { value: true },
        url: { value: 'https://portal.example.net/' },
      }),
    );
    await fetch(URL_, POST);
    await clock.advance(HOUR);
    expect(origin.seen.length).toBeLessThan(25);
  });
});

describe('an outbox in memory', () => {
  test('an outbox in memory sends by itself when the network is back', async () => {
    const outbox: Outbox = outboxPolicy({ store: memoryStore() }, memoryStore);
    const { fetch, origin, clock, host } = scenario([outbox], { partition: 'ann' });
    closeAfterTest(fetch);
    host.connectivity.set(false);
    await fetch(URL_, POST);
    host.connectivity.set(true);
    await settle();
    expect(origin.seen).toHaveLength(1);
    origin.replies(networkError());
    await fetch(URL_, POST);
    await clock.advance(60_000);
    expect(origin.seen).toHaveLength(3);
  });
});

describe('a page that comes back', () => {
  test('an outbox sends entries of an older version, with fewer fields', async () => {
    const before = page();
    before.origin.replies(networkError());
    const id = await idOf(await before.fetch(URL_, POST));
    const [item] = await before.store.range({ prefix: 'entry ' });
    const old = { ...(item?.value as object), misses: undefined, conflicts: undefined, asked: undefined };
    await before.store.write([{ put: { ...(item as object), value: old } as never }]);
    const after = await reloaded(before);
    await after.clock.advance(10_000);
    expect((await after.outbox.result(id)).status).toBe(200);
  });
});
