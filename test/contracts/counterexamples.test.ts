/** What laws and attacks have found, made as small as it would go: each was a fault once. */
import { describe, expect, test } from 'vitest';
import { bulkhead } from '../../src/policies/bulkhead.ts';
import { cachePolicy } from '../../src/policies/cache/cache.ts';
import { dedupe } from '../../src/policies/dedupe.ts';
import { failover } from '../../src/policies/failover.ts';
import { hedge } from '../../src/policies/hedge.ts';
import { retry } from '../../src/policies/retry/retry.ts';
import { memoryStore } from '../../src/stores/memory.ts';
import { hang, networkError, ok, stalledBody, status } from '../../src/testing/index.ts';
import { durableStore } from '../support/durable.ts';
import { quiet } from '../support/platform.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

const URL_ = `${ORIGIN}/x`;
const OTHER = 'https://b.example.com';
const ANN = { partition: 'ann' };

const chunk = (text: string): Uint8Array => new TextEncoder().encode(text);

/** A body that goes on when it is told to. */
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

describe('a copy is whole', () => {
  test('under a retry that takes bodies into the attempt', async () => {
    const { fetch, origin } = scenario(
      [cachePolicy({}, memoryStore), retry({ until: 'body', limit: 0 })],
      ANN,
    );
    origin.replies(ok('whole'), status(503));
    await (await fetch(URL_, { holdfast: { retry: { limit: 1 } } })).text();
    await quiet();
    expect(await (await fetch(URL_)).text()).toBe('whole');
  });

  test('or there is none: what somebody has read already is not kept as nothing', async () => {
    const { fetch, origin } = scenario([cachePolicy({}, memoryStore)], ANN);
    const used = ok('used');
    await used.text();
    origin.replies(used, status(503));
    await fetch(URL_);
    await quiet();
    expect((await fetch(URL_)).status).toBe(503);
  });

  test('when one of two who share it leaves in the middle', async () => {
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

describe('a body', () => {
  test('with an empty chunk in it can be read as a stream', async () => {
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

  test('that is given up by one of two who share it is given up at once', async () => {
    const { fetch, origin } = scenario([dedupe()]);
    origin.replies(stalledBody().response);
    const [first, second] = await Promise.all([fetch(URL_), fetch(URL_)]);
    await first.body?.cancel();
    await second.body?.cancel();
  });

  test('that was read by whoever gave it holds no place', async () => {
    const gate = bulkhead({ limit: 1 });
    const { fetch, origin } = scenario([gate]);
    const used = ok('used');
    await used.text();
    origin.replies(used);
    await fetch(URL_);
    expect(gate.states()).toEqual({});
  });
});

describe('nobody waits for ever', () => {
  test('who shares an answer that somebody has read already', async () => {
    const { fetch, origin } = scenario([dedupe()]);
    const used = ok('used');
    await used.text();
    origin.replies(used);
    const both = await Promise.allSettled([fetch(URL_), fetch(URL_)]);
    expect(both.map((each) => each.status)).toEqual(['rejected', 'rejected']);
  });

  test('for a store, when the caller leaves', async () => {
    const store = durableStore();
    const { fetch, origin, clock } = scenario([cachePolicy({ store }, memoryStore)], ANN);
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

  test('for a body that does not come, when the caller leaves', async () => {
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

  test('for a transport that is deaf, and gives an answer after all', async () => {
    const { fetch, clock } = scenario([], {
      fetch: () => new Promise((give) => void clock.after(100, () => give(ok('late')))),
    });
    const leaving = new AbortController();
    const reason = new Error('mine');
    clock.after(10, () => leaving.abort(reason));
    await expect(fetch(URL_, { signal: leaving.signal })).rejects.toBe(reason);
  });
});

describe('a transport that gives no promise', () => {
  test('is taken as it is meant', async () => {
    const { fetch } = scenario([], { fetch: (() => ok('at once')) as never });
    expect(await (await fetch(URL_)).text()).toBe('at once');
  });
});

describe('a hedge', () => {
  test('to another origin goes there, also through failover', async () => {
    const origins = [ORIGIN, OTHER];
    const { fetch, origin } = scenario([hedge({ delay: 200, origins }), failover({ origins })]);
    origin.replies(hang());
    expect(await (await fetch(URL_)).text()).toBe('ok');
    expect(origin.seen.map(({ url }) => new URL(url).origin)).toEqual(origins);
  });

  test('to the same URL does not wait for the cache of the browser, which waits for the first', async () => {
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
