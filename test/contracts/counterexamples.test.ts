/** The findings of laws and attacks, reduced as far as possible: each was a fault once. */
import { describe, expect, test } from 'vitest';
import { createResponse } from '../../src/core/body/response.ts';
import type { Policy } from '../../src/core/contract.ts';
import { breaker } from '../../src/policies/breaker/breaker.ts';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { failover } from '../../src/policies/failover.ts';
import { fallback } from '../../src/policies/fallback.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { outboxPolicy } from '../../src/policies/outbox/outbox.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { wholeBody } from '../../src/policies/retry/whole.ts';
import { strategies } from '../../src/policies/strategies.ts';
import { attemptTimeout } from '../../src/policies/timeout.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { hang, networkError, ok, stalledBody, status } from '../../src/testing.ts';
import { durableStore } from '../support/durable.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/x`;
const OTHER = 'https://b.example.com';
const ANN = { partition: 'ann' };

const chunk = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A body that the test feeds. */
function fed(): { response: Response; controller: () => ReadableStreamDefaultController } {
  let controller: ReadableStreamDefaultController | undefined;
  const stream = new ReadableStream({
    start(given) {
      controller = given;
      given.enqueue(chunk('half '));
    },
  });
  return { response: new Response(stream), controller: () => controller as ReadableStreamDefaultController };
}

describe('a cached response is whole', () => {
  test('a cached response is whole under a retry that reads bodies within the attempt', async () => {
    const { fetch, origin } = scenario(
      [cachePolicy({}, memoryStore), retry({ until: wholeBody, limit: 0 })],
      ANN,
    );
    origin.replies(ok('whole'), status(503));
    await (await fetch(URL_, { holdfast: { retry: { limit: 1 } } })).text();
    await quiet();
    expect(await (await fetch(URL_)).text()).toBe('whole');
  });

  test('a response whose body is used already is not stored as empty', async () => {
    const { fetch, origin } = scenario([cachePolicy({}, memoryStore)], ANN);
    const used = ok('used');
    await used.text();
    origin.replies(used, status(503));
    await fetch(URL_);
    await quiet();
    expect((await fetch(URL_)).status).toBe(503);
  });

  test('a cached response is whole if one of two callers that share it aborts in the middle', async () => {
    const { fetch, origin } = scenario([dedupe(), cachePolicy({}, memoryStore)], ANN);
    const { response, controller } = fed();
    origin.replies(response, networkError());
    const leaving = new AbortController();
    const [first, second] = await Promise.all([fetch(URL_, { signal: leaving.signal }), fetch(URL_)]);
    const left = first.text().catch(() => 'left');
    const whole = second.text();
    await quiet();
    leaving.abort();
    expect(await left).toBe('left');
    controller().enqueue(chunk('whole'));
    controller().close();
    expect(await whole).toBe('half whole');
    await quiet();
    expect(await (await fetch(URL_)).text()).toBe('half whole');
  });
});

describe('faults of bodies', () => {
  test('a body with an empty chunk can be read as a stream', async () => {
    const { fetch, origin } = scenario([bulkhead()]);
    const parts = [chunk(''), chunk('a'), chunk(''), chunk('b')];
    origin.replies(
      new Response(
        new ReadableStream({
          pull(controller) {
            const part = parts.shift();
            if (part) controller.enqueue(part);
            else controller.close();
          },
        }),
      ),
    );
    const { body } = await fetch(URL_);
    expect(await new Response(body).text()).toBe('ab');
  });

  test('the cancel of a shared body does not wait for its other reader', async () => {
    const { fetch, origin } = scenario([dedupe()]);
    origin.replies(stalledBody().response);
    const [first, second] = await Promise.all([fetch(URL_), fetch(URL_)]);
    await first.body?.cancel();
    await second.body?.cancel();
  });

  test('a response whose body is used already keeps no slot', async () => {
    const gate = bulkhead({ limit: 1 });
    const { fetch, origin } = scenario([gate]);
    const used = ok('used');
    await used.text();
    origin.replies(used);
    await fetch(URL_);
    expect(gate.states()).toEqual({});
  });
});

describe('no caller waits for ever', () => {
  test('no caller waits for ever on a shared response whose body is used already', async () => {
    const { fetch, origin } = scenario([dedupe()]);
    const used = ok('used');
    await used.text();
    origin.replies(used);
    const both = await Promise.allSettled([fetch(URL_), fetch(URL_)]);
    expect(both.map((each) => each.status)).toEqual(['rejected', 'rejected']);
  });

  test('no caller waits for a store after its abort', async () => {
    const store = durableStore();
    const { fetch, origin, clock } = scenario([cachePolicy({ store, memory: false }, memoryStore)], ANN);
    await (await fetch(URL_)).text();
    await quiet();
    store.break('hang');
    origin.replies(status(503));
    const leaving = new AbortController();
    const reason = new Error('mine');
    clock.after(10, () => leaving.abort(reason));
    await expect(fetch(URL_, { signal: leaving.signal })).rejects.toBe(reason);
    expect(clock.ticks()).toBe(10);
  });

  test('no caller waits after its abort for a request body that never ends', async () => {
    // Firefox sends no streams.
    if (!('duplex' in Request.prototype)) return;
    const { fetch, clock } = scenario([failover({ origins: [ORIGIN, OTHER] })]);
    const leaving = new AbortController();
    const reason = new Error('mine');
    clock.after(10, () => leaving.abort(reason));
    const body = new ReadableStream({ start: (controller) => controller.enqueue(chunk('half')) });
    const init = { method: 'PUT', body, duplex: 'half', signal: leaving.signal } as RequestInit;
    await expect(fetch(URL_, init)).rejects.toBe(reason);
  });

  test('no caller waits after its abort for a transport that ignores it and responds later', async () => {
    const { fetch, clock } = scenario([], {
      fetch: () => new Promise((give) => void clock.after(100, () => give(ok('late')))),
    });
    const leaving = new AbortController();
    const reason = new Error('mine');
    clock.after(10, () => leaving.abort(reason));
    await expect(fetch(URL_, { signal: leaving.signal })).rejects.toBe(reason);
  });
});

describe('a transport without a promise', () => {
  test('a transport that returns a Response without a promise works', async () => {
    const { fetch } = scenario([], { fetch: (() => ok('at once')) as never });
    expect(await (await fetch(URL_)).text()).toBe('at once');
  });
});

describe('faults of hedge', () => {
  test('a hedge to another origin goes there, also through failover', async () => {
    const origins = [ORIGIN, OTHER];
    const { fetch, origin } = scenario([hedge({ delay: 200, origins }), failover({ origins })]);
    origin.replies(hang());
    expect(await (await fetch(URL_)).text()).toBe('ok');
    expect(origin.seen.map(({ url }) => new URL(url).origin)).toEqual(origins);
  });

  test('a hedge to the same URL does not wait for the cache of the browser, which waits for the first attempt', async () => {
    const modes: (string | undefined)[] = [];
    const { fetch } = scenario([hedge({ delay: 200 })], {
      fetch: async (request) => {
        modes.push(request.cache);
        return modes.length === 1 ? new Promise(() => {}) : ok();
      },
    });
    await fetch(URL_);
    // Where requests have no such mode there is no such cache.
    expect(modes).toEqual(modes[0] === undefined ? [undefined, undefined] : ['default', 'no-store']);
  });
});

describe('faults of queued writes', () => {
  const POST = { method: 'POST', body: 'of ann', holdfast: { outbox: true } };

  test.each<[string, () => Policy[]]>([
    ['an open circuit', () => [breaker({ failures: 1, openFor: '20s', maxWait: '60s' })]],
    ['a full bulkhead', () => [bulkhead({ limit: 1, maxWait: false })]],
    [
      'an origin that is silent',
      () => [failover({ origins: [ORIGIN, OTHER] }), attemptTimeout({ attempt: '9s' })],
    ],
  ])('a queued write that waited for %s is not sent in the session of another user', async (what, make) => {
    let user = 'ann';
    const sent: string[] = [];
    const box = outboxPolicy({ store: memoryStore() }, memoryStore);
    const { fetch, clock, emitted } = scenario([box, ...make()], {
      partition: () => user,
      name: `session ${what}`,
      fetch: async (request, { signal }) => {
        if (request.method === 'POST') sent.push(user);
        if (request.url === `${ORIGIN}/down`) throw new TypeError('Failed to fetch');
        if (user === 'ann')
          return new Promise((_, reject) => signal?.addEventListener('abort', () => reject(signal.reason)));
        return ok();
      },
    });
    const first = fetch(`${ORIGIN}/down`).catch(() => {});
    if (what !== 'a full bulkhead') await first;
    else void fetch(`${ORIGIN}/slow`).catch(() => {});
    const result = fetch(URL_, POST).catch(() => {});
    await clock.advance(5_000);
    const before = sent.length;
    user = 'bob';
    await clock.advance(120_000);
    expect(sent.slice(before)).toEqual([]);
    expect(emitted('delivered')).toEqual([]);
    await fetch.close();
    await result;
  });

  test('a queued write that a backup accepted with a redirect of its own is delivered', async () => {
    const box = outboxPolicy({ store: memoryStore() }, memoryStore);
    const { fetch, clock, emitted } = scenario([box, failover({ origins: [ORIGIN, OTHER] })], {
      ...ANN,
      name: 'backup',
      fetch: async (request) => {
        if (request.url.startsWith(ORIGIN)) throw new TypeError('Failed to fetch');
        return Object.defineProperties(ok('made'), {
          redirected: { value: true },
          url: { value: `${OTHER}/orders/1` },
        });
      },
    });
    expect(await (await fetch(URL_, POST)).text()).toBe('made');
    await clock.advance(600_000);
    expect(emitted('sending')).toHaveLength(1);
    await fetch.close();
  });

  test.each(['body', 'get', 'update'] as const)(
    'a queued write is sent, and its lane is free, after the store hung once (%s)',
    async (operation) => {
      const store = durableStore();
      const box = outboxPolicy({ store }, memoryStore);
      const { fetch, origin, clock } = scenario([box], { ...ANN, name: `hung ${operation}` });
      const { body, get, change } = store;
      const never = new Promise<never>(() => {});
      const hangsOnce = (): Promise<never> => {
        Object.assign(store, { body, get });
        return never;
      };
      if (operation !== 'update') store[operation] = hangsOnce;
      if (operation === 'update') {
        let changes = 0;
        store.change = (...args) =>
          (++changes === 2 ? never : change(...(args as Parameters<typeof change>))) as never;
        origin.replies(status(503));
      }
      await fetch(URL_, POST);
      await clock.advance(300_000);
      expect((await box.counts()).count).toBe(0);
      await fetch.close();
    },
  );

  test.each(['groups', 'range'] as const)(
    'flush does not wait for a queued write while the store hangs (%s)',
    async (operation) => {
      const store = durableStore();
      const box = outboxPolicy({ store, pollInterval: '1d' }, memoryStore);
      const { fetch, clock } = scenario([box], { ...ANN, name: `flush ${operation}` });
      Object.assign(store, { [operation]: () => new Promise(() => {}) });
      let over = false;
      const flushed = box.flush().finally(() => {
        over = true;
      });
      flushed.catch(() => {});
      await clock.advance(20_000);
      expect(over).toBe(true);
      await fetch.close();
    },
  );

  test('a queued write whose caller aborts without a reason before the commit is not sent', async () => {
    const store = durableStore();
    const { fetch, origin, clock } = scenario([outboxPolicy({ store }, memoryStore)], {
      ...ANN,
      name: 'falsy',
    });
    const { change } = store;
    store.change = async (...args) => {
      await new Promise<void>((give) => void clock.after(1_000, give));
      return change(...(args as Parameters<typeof change>)) as never;
    };
    const leaving = new AbortController();
    clock.after(10, () => leaving.abort(null));
    await expect(fetch(URL_, { ...POST, signal: leaving.signal })).rejects.toBe(null);
    await clock.advance(60_000);
    expect(origin.seen).toHaveLength(0);
    await fetch.close();
  });

  test('a queued write that a store committed without confirmation is reported as unknown', async () => {
    const store = durableStore();
    const { fetch } = scenario([outboxPolicy({ store }, memoryStore)], { ...ANN, name: 'unconfirmed' });
    const { change } = store;
    store.change = async (...args) => {
      await change(...(args as Parameters<typeof change>));
      throw new Error('connection lost');
    };
    await expect(fetch(URL_, POST)).rejects.toMatchObject({ code: 'storage-unknown' });
    await fetch.close();
  });

  test('close ends a pending result of a queued write', async () => {
    const box = outboxPolicy({ store: memoryStore() }, memoryStore);
    const { fetch, host } = scenario([box], { ...ANN, name: 'waiting' });
    host.connectivity.set(false);
    const { id } = (await (await fetch(URL_, POST)).json()) as { id: string };
    const result = box.result(id).catch((error) => error);
    await quiet();
    await fetch.close();
    expect(await result).toMatchObject({ code: 'closed' });
  });
});

test('failover does not repeat an at-most-once entry for its Idempotency-Key', async () => {
  const box = outboxPolicy({ store: memoryStore(), delivery: 'at-most-once' }, memoryStore);
  const { fetch, origin } = scenario([box, failover({ origins: [ORIGIN, OTHER] })], {
    ...ANN,
    name: 'one origin',
  });
  origin.otherwise(status(503));
  expect((await fetch(URL_, { method: 'POST', body: 'x', holdfast: { outbox: true } })).status).toBe(202);
  expect(origin.seen.map(({ url }) => new URL(url).origin)).toEqual([ORIGIN]);
  await fetch.close();
});

describe('a response that no constructor makes', () => {
  const odd = (code: number): Response =>
    Object.defineProperties(ok('odd'), {
      status: { value: code },
      statusText: { value: '成功' },
      ok: { value: code === 200 },
    });

  test.each([
    ['a whole attempt', 999, {}],
    ['the outbox', 200, { method: 'POST', body: 'x', holdfast: { outbox: true } }],
  ])('a response with an odd status keeps it through %s', async (name, code, init) => {
    const box = outboxPolicy({ store: memoryStore() }, memoryStore);
    const { fetch, origin } = scenario([box, retry({ until: wholeBody })], { ...ANN, name });
    origin.replies(odd(code));
    const response = await fetch(URL_, init);
    expect(response.clone().status).toBe(code);
    expect([response.status, response.statusText, response.ok]).toEqual([code, '成功', code === 200]);
    expect(await response.text()).toBe('odd');
    await fetch.close();
  });
});

describe('faults of cached responses', () => {
  test('a response from before a sign-out or a write is not stored after it', async () => {
    for (const change of ['clear', 'write'] as const) {
      const store = durableStore();
      const cache = cachePolicy({ store, invalidated: 'drop' }, memoryStore);
      const { fetch, origin } = scenario([cache], ANN);
      const { response, controller } = fed();
      origin.replies(response);
      const text = (await fetch(URL_)).text();
      if (change === 'clear') await cache.clear({ partition: 'ann' });
      else await fetch(URL_, { method: 'PUT', body: 'new' });
      controller().close();
      await text;
      await quiet();
      expect(await store.range({ prefix: 'response ' })).toEqual([]);
    }
  });

  test('a cached response that is being written at a sign-out is deleted, too', async () => {
    const store = durableStore();
    const cache = cachePolicy({ store }, memoryStore);
    const { fetch, origin } = scenario([cache], ANN);
    const { change } = store;
    let cleared: Promise<unknown> | undefined;
    store.change = (...args) => {
      if (origin.seen.length > 0) cleared ??= cache.clear();
      return change(...args);
    };
    await (await fetch(URL_)).text();
    await quiet();
    await cleared;
    expect(await store.range({ prefix: 'response ' })).toEqual([]);
  });

  test('the last client that closes closes the store', async () => {
    const store = durableStore();
    let closed = 0;
    store.close = async () => void closed++;
    const cache = cachePolicy({ store }, memoryStore);
    const [one, other] = [scenario([cache], ANN), scenario([cache], ANN)];
    await one.fetch.close();
    expect(closed).toBe(0);
    await other.fetch.close();
    expect(closed).toBe(1);
  });
});

describe('faults of the bulkhead', () => {
  test('an unread 401 releases its slot for the token request', async () => {
    const { fetch, origin } = scenario([bulkhead({ limit: 1 })]);
    origin.replies(status(401));
    const refused = await fetch(URL_);
    expect(await (await fetch(`${ORIGIN}/token`)).text()).toBe('ok');
    expect(await refused.text()).toBe('status 401');
  });
});

describe('faults of options', () => {
  test('an option in the wrong place is an error that says where it belongs', async () => {
    const { fetch } = scenario([retry()]);
    await expect(fetch(URL_, { retry: 3 } as never)).rejects.toThrow(/retry: 3 .* stands in holdfast/);
  });

  test('a strategy uses the application’s category of a response that looks good', async () => {
    const categorize = (outcome: unknown) =>
      outcome instanceof Response && outcome.headers.has('x-error') ? 'server' : undefined;
    const { fetch, origin } = scenario([strategies({ server: 'retry' }, { categorize }), retry()]);
    origin.replies(ok('bad', { headers: { 'x-error': '1' } }), ok('good'));
    expect(await (await fetch(URL_)).text()).toBe('good');
  });
});

describe('work after the end', () => {
  test('a circuit is not probed after the client was closed', async () => {
    const { fetch, origin, clock } = scenario([breaker({ probe: '/health', failures: 1, openFor: '1s' })]);
    origin.otherwise(networkError());
    await fetch(URL_).catch(() => {});
    await clock.advance(2_000);
    await fetch(URL_).catch(() => {});
    await quiet();
    expect(origin.seen.at(-1)?.url).toBe(`${ORIGIN}/health`);
    await fetch.close();
    const { length } = origin.seen;
    await clock.advance(60_000);
    expect(origin.seen).toHaveLength(length);
  });

  test('a fallback that comes too late is cancelled', async () => {
    const late = stalledBody();
    const { fetch, origin, clock } = scenario([
      fallback(() => new Promise((give) => void clock.after(11_000, () => give(late.response)))),
    ]);
    origin.replies(networkError());
    await expect(fetch(URL_)).rejects.toThrow(TypeError);
    await clock.advance(2_000);
    expect(late.cancelled()).toBe(true);
  });

  test('a 204 has no body, even if one was stored for it', () => {
    const kept = {
      status: 204,
      statusText: 'No Content',
      url: URL_,
      type: 'basic',
      redirected: false,
    } as const;
    expect(createResponse('left over', kept, {}).body).toBe(null);
  });
});
