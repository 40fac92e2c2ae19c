import { describe, expect, test } from 'vitest';
import { isQueued, sourceOf } from '../../../src/core/outcome.ts';
import { breaker } from '../../../src/policies/breaker/breaker.ts';
import type { OutboxOptions } from '../../../src/policies/outbox/options.ts';
import { outboxPolicy } from '../../../src/policies/outbox/outbox.ts';
import { memoryStore } from '../../../src/stores/memory.ts';
import { hang, networkError, ok, slow, status } from '../../../src/testing.ts';
import { countListeners } from '../../support/count-listeners.ts';
import { durableStore } from '../../support/durable.ts';
import { closeAfterTest, idOf, POST, page, reloaded, settle, URL_ } from '../../support/outbox-page.ts';
import { ORIGIN, scenario } from '../../support/scenario.ts';

describe('a queued write', () => {
  test('a write that is delivered at once has the origin’s own response', async () => {
    const { fetch, origin, outbox } = page();
    origin.replies(new Response('created', { status: 201, headers: { location: '/orders/1' } }));
    const response = await fetch(URL_, POST);
    expect([response.status, await response.text(), response.headers.get('location')]).toEqual([
      201,
      'created',
      '/orders/1',
    ]);
    expect(sourceOf(response)).toBe('network');
    expect(isQueued(response)).toBe(false);
    expect(await outbox.counts()).toMatchObject({ count: 0, bytes: 0 });
  });

  test('a write is on the disk before it is sent', async () => {
    const { fetch, origin, store } = page();
    let stored = 0;
    origin.replies(async () => {
      stored = (await store.groups('waiting')).length;
      return ok();
    });
    await fetch(URL_, POST);
    expect(stored).toBe(1);
  });

  test('a write that cannot be delivered is stored, and its response says so', async () => {
    const { fetch, origin, outbox, emitted } = page();
    origin.replies(networkError());
    const response = await fetch(URL_, POST);
    expect(response.status).toBe(202);
    expect(isQueued(response)).toBe(true);
    expect(sourceOf(response)).toBe('outbox');
    expect(response.url).toBe(URL_);
    const body = (await response.json()) as { queued: boolean; id: string };
    expect(body).toEqual({ queued: true, id: expect.any(String) });
    expect((await outbox.entries()).map(({ id, state }) => [id, state])).toEqual([[body.id, 'waiting']]);
    expect(emitted('queued')).toMatchObject([{ id: body.id, origin: ORIGIN, lane: ORIGIN }]);
  });

  test('a write is sent again with the same key until it is delivered, and once', async () => {
    const { fetch, origin, outbox, clock, emitted } = page();
    origin.replies(networkError(), status(503), status(429), ok('at last'));
    const id = await idOf(await fetch(URL_, POST));
    const result = outbox.result(id);
    await clock.advance(3_600_000);
    expect(await (await result).text()).toBe('at last');
    expect(origin.seen).toHaveLength(4);
    const keys = new Set(origin.seen.map(({ headers }) => headers.get('idempotency-key')));
    expect(keys.size).toBe(1);
    expect([...keys][0]).toMatch(/^"[a-z0-9]{8,}"$/);
    expect(origin.seen.map(({ body }) => body)).toEqual(Array(4).fill('order'));
    expect(emitted('delivered')).toMatchObject([{ id, status: 200 }]);
    expect(await outbox.counts()).toMatchObject({ count: 0, bytes: 0 });
  });

  test('many callers may wait for a result, and one that stops waiting does not stop the others', async () => {
    const { fetch, origin, outbox, clock } = page();
    origin.replies(networkError(), ok('at last'));
    const id = await idOf(await fetch(URL_, POST));
    const results = [outbox.result(id), outbox.result(id)];
    await settle();
    const third = outbox.result(id);
    const leaving = new AbortController();
    const onLeaving = countListeners(leaving.signal);
    const left = outbox.result(id, { signal: leaving.signal });
    const reason = new Error('mine');
    await settle();
    leaving.abort(reason);
    await expect(left).rejects.toBe(reason);
    await expect(outbox.result(id, { signal: leaving.signal })).rejects.toBe(reason);
    const staying = new AbortController();
    const onStaying = countListeners(staying.signal);
    const fourth = outbox.result(id, { signal: staying.signal });
    await settle();
    expect(onStaying.listeners()).toBe(1);
    await clock.advance(10_000);
    await fourth;
    expect([onLeaving.listeners(), onStaying.listeners()]).toEqual([0, 0]);
    expect(await Promise.all([...results, third].map(async (result) => (await result).text()))).toEqual(
      Array(3).fill('at last'),
    );
  });

  test('a wait for a result takes a signal and nothing else', async () => {
    const { outbox } = page();
    await expect(outbox.result('x', { signal: 5 as never })).rejects.toThrow(
      /result\.signal: 5 .*AbortSignal/,
    );
    await expect(outbox.result('x', { timeout: 5 } as never)).rejects.toThrow(/result\.timeout: 5 .*signal/);
  });

  test('a write is not retried by the policies inside: the outbox counts', async () => {
    const { fetch, origin } = page();
    origin.otherwise(status(503));
    await fetch(URL_, { ...POST, headers: { 'idempotency-key': '"mine"' } });
    expect(origin.seen).toHaveLength(1);
    expect(origin.seen[0]?.headers.get('idempotency-key')).toBe('"mine"');
  });

  test('a write that hangs gets its response after 2 s, and delivery goes on', async () => {
    const { fetch, origin, clock, outbox } = page();
    origin.replies(slow(clock, 5_000, () => ok('slow')));
    const response = await fetch(URL_, POST);
    expect(isQueued(response)).toBe(true);
    expect(clock.ticks()).toBe(2_000);
    expect(await (await outbox.result(await idOf(response))).text()).toBe('slow');
    expect(origin.seen).toHaveLength(1);
  });

  test('a write without the outbox option is not stored', async () => {
    const { fetch, origin, outbox } = page({ match: '/kept' });
    origin.replies(networkError(), networkError());
    await expect(fetch(URL_, { method: 'POST' })).rejects.toThrow(TypeError);
    expect(isQueued(await fetch(`${ORIGIN}/kept/1`, { method: 'POST' }))).toBe(true);
    expect((await outbox.counts()).count).toBe(1);
  });

  test('a body of every kind arrives unchanged', async () => {
    const form = new FormData();
    form.set('field', 'value ä');
    form.set('file', new File(['content'], 'name.txt', { type: 'text/plain' }));
    const bodies: [BodyInit | null, string | RegExp][] = [
      ['text ä', 'text ä'],
      ['{"a":1}', '{"a":1}'],
      [new URLSearchParams({ a: 'ä' }), 'a=%C3%A4'],
      [new Uint8Array([104, 105]), 'hi'],
      [new Blob(['blob'], { type: 'text/x' }), 'blob'],
      [form, /name="field"\r\n\r\nvalue ä.*filename="name.txt".*content/s],
      [null, ''],
    ];
    const { fetch, origin } = page();
    for (const [body, expected] of bodies) {
      await fetch(URL_, { method: 'POST', body, holdfast: { outbox: true } });
      const { body: sent, headers } = origin.seen.at(-1) as (typeof origin.seen)[0];
      const type = headers.get('content-type') ?? '';
      if (expected instanceof RegExp) expect(sent).toMatch(expected);
      else expect(sent).toBe(expected);
      // Bun names no type for text.
      if (body instanceof Blob) expect(type).toBe('text/x');
      if (body instanceof URLSearchParams) expect(type).toMatch(/^application\/x-www-form-urlencoded/);
      if (body === form) expect(sent).toContain(/^multipart\/form-data; boundary="?([^"]+)/.exec(type)?.[1]);
    }
  });
});

describe('accepting a write', () => {
  test('a write rejects if the store fails, and nothing is sent', async () => {
    for (const how of ['fail'] as const) {
      const { fetch, origin, store } = page();
      store.break(how);
      await expect(fetch(URL_, POST)).rejects.toMatchObject({
        name: 'StorageError',
        code: 'storage',
        origin: ORIGIN,
      });
      expect(origin.seen).toHaveLength(0);
      store.heal();
      await fetch.close();
    }
  });

  test('a write rejects if its commit takes too long, and is removed if it is committed later', async () => {
    const store = durableStore();
    const { fetch, origin, outbox, clock } = page({}, store);
    const { change } = store;
    let commit = (): void => {};
    const late = new Promise<void>((resolve) => {
      commit = resolve;
    });
    store.change = async (...args) => {
      await late;
      return change(...(args as Parameters<typeof change>)) as never;
    };
    await expect(fetch(URL_, POST)).rejects.toMatchObject({
      name: 'StorageError',
      message: expect.stringMatching(/did not respond within 10000 ms/),
    });
    const controller = new AbortController();
    const reason = new Error('mine');
    clock.after(100, () => controller.abort(reason));
    await expect(fetch(URL_, { ...POST, signal: controller.signal })).rejects.toBe(reason);
    commit();
    await settle();
    await clock.advance(60_000);
    expect([(await outbox.counts()).count, origin.seen.length]).toEqual([0, 0]);
  });

  test('a write is rejected if the outbox is full, and the stored entries stay', async () => {
    const { fetch, origin, outbox } = page({ maxEntries: 2 });
    origin.otherwise(networkError());
    await fetch(URL_, POST);
    await fetch(URL_, POST);
    await expect(fetch(URL_, POST)).rejects.toMatchObject({
      name: 'CapacityError',
      code: 'outbox-full',
      category: 'capacity',
      transient: true,
    });
    expect(await outbox.entries()).toHaveLength(2);
  });

  test('a write is rejected if its body is too large, or would make the outbox too large', async () => {
    const { fetch, outbox } = page({ maxEntryBytes: 10, maxBytes: '15B' });
    await expect(fetch(URL_, { ...POST, body: '12345678901' })).rejects.toMatchObject({ code: 'too-large' });
    await expect(
      fetch(new Request(URL_, { method: 'POST', body: '12345678901' }), { holdfast: { outbox: true } }),
    ).rejects.toMatchObject({ code: 'too-large' });
    expect((await outbox.counts()).count).toBe(0);
  });

  test('a write whose caller has aborted before is not stored', async () => {
    const { fetch, outbox, origin } = page();
    const controller = new AbortController();
    const response = fetch(URL_, { ...POST, signal: controller.signal });
    controller.abort();
    await expect(response).rejects.toMatchObject({ name: 'AbortError' });
    await settle();
    expect((await outbox.counts()).count + origin.seen.length).toBe(0);
  });

  test('a write whose caller aborts after the commit stays', async () => {
    const { fetch, outbox, origin, clock } = page();
    const controller = new AbortController();
    const reason = new Error('mine');
    origin.replies(hang());
    clock.after(100, () => controller.abort(reason));
    await expect(fetch(URL_, { ...POST, signal: controller.signal })).rejects.toBe(reason);
    expect((await outbox.counts()).count).toBe(1);
  });

  test('the same id twice is one entry and one response', async () => {
    const { fetch, origin, outbox, clock } = page();
    origin.replies(slow(clock, 100, () => ok('once')));
    const twice = { ...POST, holdfast: { outbox: { id: 'order-7' } } };
    const responses = await Promise.all([fetch(URL_, twice), fetch(URL_, twice)]);
    expect(await Promise.all(responses.map((response) => response.text()))).toEqual(['once', 'once']);
    expect(await (await fetch(URL_, twice)).text()).toBe('once');
    expect(await (await outbox.result('order-7')).text()).toBe('once');
    expect(origin.seen).toHaveLength(1);
  });

  test('reads pass by the outbox: the outbox option of a route is for its writes', async () => {
    const { fetch, outbox } = page();
    expect(await (await fetch(URL_, { holdfast: { outbox: true } })).text()).toBe('ok');
    expect((await outbox.counts()).count).toBe(0);
  });

  test.each<[OutboxOptions, RegExp]>([
    [{ store: {} as never }, /outbox\.store: .* expected a store with atomic changes; it lacks get,/],
    [{ store: { change() {} } as never }, /outbox\.store: .* it lacks get, body,/],
    [{ attempts: 0 }, /outbox\.attempts: 0/],
    [{ match: 5 as never }, /outbox\.match: 5 is not allowed/],
    [{ pollInterval: 0 }, /outbox\.pollInterval: 0 is not allowed; expected a duration above 0/],
    [{ idempotencyHeader: 'not a name' }, /outbox\.idempotencyHeader: 'not a name' .* name of a header/],
    [{ persistHeaders: ['x:y'] }, /outbox\.persistHeaders: 'x:y'/],
  ])('outbox() with %o is a configuration error', (options, message) => {
    expect(() => outboxPolicy(options, memoryStore)).toThrow(message);
  });

  test.each<[object, RegExp]>([
    [{ lan: 'x' }, /outbox\.lan: 'x'.*unknown option/],
    [{ id: 7 }, /outbox\.id: 7/],
    [{ meta: () => {} }, /outbox\.meta: a function .* plain data/],
  ])('a call with outbox: %o is a configuration error', async (outbox, message) => {
    const { fetch } = page();
    await expect(fetch(URL_, { ...POST, holdfast: { outbox } })).rejects.toThrow(message);
  });

  // Not in a list of tests: half a character in a title cannot be sent from every runtime.
  test('a lane or an id of half a character is a configuration error', async () => {
    const { fetch } = page();
    for (const name of ['lane', 'id'])
      await expect(fetch(URL_, { ...POST, holdfast: { outbox: { [name]: '\ud800' } } })).rejects.toThrow(
        /well-formed text/,
      );
  });

  test('a write whose response would be opaque is rejected', async () => {
    const { fetch, origin } = page();
    const hidden = new Request(URL_, { method: 'POST', mode: 'no-cors' });
    // Servers' runtimes know no modes.
    if (hidden.mode !== 'no-cors') return;
    await expect(fetch(hidden, { holdfast: { outbox: true } })).rejects.toThrow(/mode: 'no-cors'/);
    expect(origin.seen).toHaveLength(0);
  });

  test('two outboxes of one name are a configuration error', () => {
    page({}, { ...durableStore(), name: 'one' });
    expect(() => page({}, { ...durableStore(), name: 'another' })).toThrow(
      "two clients with an outbox are both called 'default'",
    );
  });
});

describe('the order of writes', () => {
  test('a lane keeps the order of its writes; another lane does not wait', async () => {
    const { fetch, origin, clock } = page();
    origin.replies(networkError());
    const lane = (name: string, body: string) =>
      fetch(URL_, { method: 'POST', body, holdfast: { outbox: { lane: name } } });
    await lane('a', 'a1');
    await lane('a', 'a2');
    await lane('b', 'b1');
    await lane('a', 'a3');
    await clock.advance(60_000);
    const order = origin.seen.map(({ body }) => body);
    expect(order.filter((body) => body.startsWith('a'))).toEqual(['a1', 'a1', 'a2', 'a3']);
    expect(order.indexOf('b1')).toBe(1);
  });

  test('a lane keeps its order although the clock is set back', async () => {
    const { fetch, origin, clock } = page();
    origin.replies(networkError());
    for (const body of ['1', '2', '3']) {
      await fetch(URL_, { ...POST, body });
      clock.jump(-86_400_000);
    }
    await clock.advance(4 * 86_400_000);
    expect(origin.seen.map(({ body }) => body)).toEqual(['1', '1', '2', '3']);
  });

  test('a lane has one request in flight', async () => {
    const { fetch, origin, clock } = page();
    let inFlight = 0;
    let most = 0;
    origin.otherwise(async (request, signal) => {
      most = Math.max(most, ++inFlight);
      const response = await (
        slow(clock, 100) as (request: Request, signal: AbortSignal) => Promise<Response>
      )(request, signal);
      inFlight--;
      return response;
    });
    await Promise.all(Array.from({ length: 5 }, () => fetch(URL_, POST)));
    expect(origin.seen).toHaveLength(5);
    expect(most).toBe(1);
  });
});

describe('the decision on a response', () => {
  test.each([400, 403, 404, 405, 410, 413, 422, 501, 505])(
    '%i makes a dead letter, and the caller gets the response',
    async (code) => {
      const { fetch, origin, outbox, emitted } = page();
      origin.replies(
        Response.json(
          { type: 'about:blank', title: 'no' },
          { status: code, headers: { 'content-type': 'application/problem+json' } },
        ),
        ok('next'),
      );
      const response = await fetch(URL_, POST);
      expect(response.status).toBe(code);
      expect(await response.json()).toEqual({ type: 'about:blank', title: 'no' });
      const dead = await outbox.entries({ state: 'dead-letter' });
      expect(dead).toMatchObject([
        {
          state: 'dead-letter',
          attempts: 1,
          reason: { code: 'http', status: code, problem: { title: 'no' } },
        },
      ]);
      expect(emitted('dead-lettered')).toMatchObject([{ status: code }]);
      expect(await (await fetch(URL_, POST)).text()).toBe('next');
    },
  );

  test.each([408, 425, 429, 500, 502, 503, 504])('a write with response %i is sent again', async (code) => {
    const { fetch, origin, clock, outbox } = page();
    origin.replies(status(code), ok());
    expect(isQueued(await fetch(URL_, POST))).toBe(true);
    await clock.advance(10_000);
    expect(origin.seen).toHaveLength(2);
    expect((await outbox.counts()).count).toBe(0);
  });

  test('Retry-After delays the next attempt, even if the network comes back before', async () => {
    const { fetch, origin, clock, host } = page();
    origin.replies(status(503, { 'retry-after': '600' }));
    await fetch(URL_, POST);
    host.connectivity.set(false);
    host.connectivity.set(true);
    await clock.advance(599_000);
    expect(origin.seen).toHaveLength(1);
    await clock.advance(2_000);
    expect(origin.seen).toHaveLength(2);
  });

  test('a redirect to another origin is a captive portal and costs no attempt', async () => {
    const { fetch, origin, outbox, clock } = page({ attempts: 2 });
    const portal = (): Response =>
      Object.defineProperties(ok('please log in'), {
        redirected: { value: true },
        url: { value: 'https://portal.example.net/' },
      });
    for (let n = 0; n < 5; n++) origin.replies(portal());
    expect(isQueued(await fetch(URL_, POST))).toBe(true);
    await clock.advance(50_000);
    expect((await outbox.entries())[0]?.attempts ?? 0).toBe(0);
    await clock.advance(600_000);
    expect((await outbox.counts()).count).toBe(0);
  });

  test('401 pauses the user’s queue, and resume goes on with the same key', async () => {
    let token = 'old';
    const { fetch, origin, outbox, clock, emitted } = page({
      authorize: (request) => {
        request.headers.set('authorization', token);
        return undefined;
      },
    });
    origin.replies(status(401));
    const id = await idOf(await fetch(URL_, POST));
    await fetch(URL_, POST);
    await clock.advance(3_600_000);
    expect(origin.seen).toHaveLength(1);
    expect(emitted('outbox-auth-required')).toMatchObject([{ id }]);
    expect(await outbox.counts()).toMatchObject({ waiting: 2, paused: 'credentials' });
    token = 'new';
    await outbox.resume();
    await settle();
    expect(origin.seen.map(({ headers }) => headers.get('authorization'))).toEqual(['old', 'new', 'new']);
    expect(origin.seen[1]?.headers.get('idempotency-key')).toBe(
      origin.seen[0]?.headers.get('idempotency-key'),
    );
    expect((await outbox.counts()).count).toBe(0);
  });

  test('a write with response 409 is sent twice more, for a key that is still in process, and then is a dead letter; a replay has as many', async () => {
    const { fetch, origin, outbox, clock } = page();
    origin.otherwise(status(409));
    await fetch(URL_, POST);
    await clock.advance(600_000);
    expect(origin.seen).toHaveLength(3);
    const [dead] = await outbox.entries({ state: 'dead-letter' });
    await outbox.replay(dead?.id ?? '');
    await clock.advance(600_000);
    expect(origin.seen).toHaveLength(6);
    expect(await outbox.entries({ state: 'dead-letter' })).toHaveLength(1);
  });

  test('onConflict decides on 409 and 412', async () => {
    const words = ['drop', 'dead-letter'] as const;
    const { fetch, origin, outbox } = page({
      onConflict: (response) => words[response.status === 409 ? 0 : 1],
    });
    origin.replies(status(409), status(412));
    await fetch(URL_, POST);
    expect((await outbox.counts()).count).toBe(0);
    await fetch(URL_, POST);
    expect(await outbox.entries({ state: 'dead-letter' })).toMatchObject([{ reason: { status: 412 } }]);
  });

  test('an entry becomes a dead letter after ten attempts', async () => {
    const { fetch, origin, outbox, clock } = page();
    origin.otherwise(status(503));
    const id = await idOf(await fetch(URL_, POST));
    const result = outbox.result(id);
    await clock.advance(4 * 3_600_000);
    expect(origin.seen).toHaveLength(10);
    expect(await outbox.entries({ state: 'dead-letter' })).toMatchObject([
      { id, attempts: 10, reason: { code: 'attempts', status: 503 } },
    ]);
    expect((await result).status).toBe(503);
  });

  test('an entry becomes a dead letter after a week, even without any network', async () => {
    const { fetch, host, outbox, clock, origin } = page();
    host.connectivity.set(false);
    const id = await idOf(await fetch(URL_, POST));
    await clock.advance(8 * 86_400_000);
    host.connectivity.set(true);
    await clock.advance(1_000);
    expect(origin.seen).toHaveLength(0);
    expect(await outbox.entries({ state: 'dead-letter' })).toMatchObject([
      { id, reason: { code: 'expired' } },
    ]);
    await expect(outbox.result(id)).rejects.toMatchObject({
      name: 'UndeliveredError',
      code: 'dead-lettered',
      id,
    });
  });
});

describe('the outbox offline', () => {
  test('an outbox without a network sends nothing and counts no attempt, and drains at once when it is back', async () => {
    const { fetch, host, outbox, clock, origin } = page();
    host.connectivity.set(false);
    const response = await fetch(URL_, POST);
    expect(isQueued(response)).toBe(true);
    expect(clock.ticks()).toBe(0);
    await clock.advance(3_600_000);
    expect(origin.seen).toHaveLength(0);
    expect((await outbox.entries())[0]?.attempts).toBe(0);
    host.connectivity.set(true);
    expect((await outbox.result(await idOf(response))).status).toBe(200);
  });

  test('an open circuit costs no attempt', async () => {
    const store = durableStore();
    const outbox = outboxPolicy({ store }, memoryStore);
    const circuit = breaker({ failures: 1 });
    const scene = scenario([outbox, circuit], { partition: 'ann' });
    closeAfterTest(scene.fetch);
    circuit.isolate(ORIGIN);
    await scene.fetch(URL_, POST);
    await scene.clock.advance(600_000);
    expect((await outbox.entries())[0]).toMatchObject({ attempts: 0, reason: { code: 'circuit-open' } });
    circuit.reset();
    await scene.clock.advance(60_000);
    expect((await outbox.counts()).count).toBe(0);
  });
});

describe('an outbox after a reload', () => {
  test('after a reload a waiting entry is sent, with the same key, and result() has its response', async () => {
    const before = page();
    before.origin.replies(networkError());
    const id = await idOf(await before.fetch(URL_, POST));
    const after = await reloaded(before);
    await after.clock.advance(5_000);
    expect(await (await after.outbox.result(id)).text()).toBe('ok');
    expect(before.origin.seen).toHaveLength(2);
    expect(new Set(before.origin.seen.map(({ headers }) => headers.get('idempotency-key'))).size).toBe(1);
  });

  test('after a reload an entry is sent again whose page ended during the attempt', async () => {
    const before = page();
    before.origin.replies(hang());
    const response = before.fetch(URL_, POST).catch(() => {});
    await settle();
    expect(before.origin.seen).toHaveLength(1);
    const after = await reloaded(before);
    await response;
    await after.clock.advance(5_000);
    expect(before.origin.seen).toHaveLength(2);
    expect((await after.outbox.counts()).count).toBe(0);
  });

  test('result() has a response for a day', async () => {
    const before = page();
    before.origin.replies(new Response('created', { status: 201 }));
    const first = await before.fetch(URL_, { ...POST, holdfast: { outbox: { id: 'mine' } } });
    await first.text();
    const after = await reloaded(before);
    expect(await (await after.outbox.result('mine')).text()).toBe('created');
    await after.clock.advance(86_400_000 + 7_200_000);
    await expect(after.outbox.result('mine')).rejects.toMatchObject({ code: 'outbox-unknown' });
    expect(await before.store.range({ prefix: 'id ' })).toEqual([]);
  });

  test('after a reload a dead letter is still there, and can be replayed or removed', async () => {
    const before = page();
    before.origin.replies(status(422), status(422));
    await before.fetch(URL_, { ...POST, holdfast: { outbox: { id: 'a' } } });
    await before.fetch(URL_, { ...POST, holdfast: { outbox: { id: 'b' } } });
    const { outbox, origin } = await reloaded(before);
    expect((await outbox.entries({ state: 'dead-letter' })).map(({ id }) => id)).toEqual(['a', 'b']);
    expect(await outbox.replay('a')).toBe(true);
    expect((await outbox.result('a')).status).toBe(200);
    expect(origin.seen[2]?.headers.get('idempotency-key')).toBe(
      origin.seen[0]?.headers.get('idempotency-key'),
    );
    expect(await outbox.replay('a')).toBe(false);
    expect(await outbox.purge()).toBe(1);
    expect(await outbox.entries({ state: 'dead-letter' })).toEqual([]);
  });
});

describe('the privacy of an outbox', () => {
  test('the outbox stores no credential, and authorize puts it back', async () => {
    const { fetch, origin, store } = page({
      authorize: (request, { partition }) => {
        request.headers.set('authorization', `Bearer of ${partition}`);
        return undefined;
      },
    });
    origin.replies(networkError());
    await fetch(URL_, {
      ...POST,
      headers: { authorization: 'Bearer secret', 'x-csrf': 'secret', 'content-type': 'text/x' },
    });
    expect(JSON.stringify(await store.range({}))).not.toContain('secret');
    expect(JSON.stringify(await store.range({}))).toContain('text/x');
    expect(origin.seen[0]?.headers.get('authorization')).toBe('Bearer of ann');
  });

  test('credentials without authorize are a configuration error; other dropped headers are emitted', async () => {
    const { fetch, origin, emitted } = page({ persistHeaders: ['X-Kept'] });
    await expect(fetch(URL_, { ...POST, headers: { authorization: 'Bearer secret' } })).rejects.toThrow(
      /outbox\.authorize/,
    );
    expect(origin.seen).toHaveLength(0);
    await fetch(URL_, { ...POST, headers: { 'x-kept': 'yes', 'x-lost': 'no' } });
    expect(origin.seen[0]?.headers.get('x-kept')).toBe('yes');
    expect(origin.seen[0]?.headers.has('x-lost')).toBe(false);
    expect(emitted('headers-dropped')).toMatchObject([{ names: ['x-lost'] }]);
  });

  test('only the current user’s writes are sent and listed', async () => {
    let user = 'ann';
    const { fetch, origin, outbox, clock } = page({ user: () => user });
    origin.replies(networkError());
    const id = await idOf(await fetch(URL_, { ...POST, body: 'ann’s' }));
    user = 'bob';
    await fetch(URL_, { ...POST, body: 'bob’s' });
    await clock.advance(3_600_000);
    await outbox.flush();
    expect(origin.seen.map(({ body }) => body)).toEqual(['ann’s', 'bob’s']);
    expect(await outbox.entries()).toEqual([]);
    await expect(outbox.result(id)).rejects.toMatchObject({ code: 'outbox-unknown' });
    expect(await outbox.remove(id)).toBe(false);
    user = 'ann';
    await outbox.flush();
    expect(origin.seen.map(({ body }) => body)).toEqual(['ann’s', 'bob’s', 'ann’s']);
  });

  test('a client with an outbox and no partition throws an error', () => {
    expect(() => scenario([outboxPolicy({}, memoryStore)])).toThrow(
      /partition: undefined is not allowed; 'outbox' needs it/,
    );
  });
});

describe('a hook of the application', () => {
  test('a hook that never settles does not block the caller, its lane or close for ever', async () => {
    const never = new Promise<never>(() => {});
    let hanging = true;
    const { fetch, origin, clock, outbox } = page({ authorize: () => (hanging ? never : undefined) });
    expect(isQueued(await fetch(URL_, POST))).toBe(true);
    hanging = false;
    await clock.advance(60_000);
    expect([origin.seen.length, (await outbox.counts()).count]).toEqual([1, 0]);
    hanging = true;
    await fetch(URL_, POST);
    await fetch.close();
  });

  test('a hook that throws delays the entry, which is sent again', async () => {
    let throwing = true;
    const { fetch, origin, clock, outbox } = page({
      authorize: () => {
        if (throwing) throw new Error('not signed in');
      },
    });
    expect(isQueued(await fetch(URL_, POST))).toBe(true);
    expect((await outbox.entries())[0]?.reason).toMatchObject({ message: 'authorize: Error' });
    throwing = false;
    await clock.advance(10_000);
    expect(origin.seen).toHaveLength(1);
  });
});

describe('management of an outbox', () => {
  test('events show a listener which attempts belong to which write', async () => {
    const { fetch, events } = page();
    await fetch(URL_, POST);
    const [call] = events.flatMap((event) => (event.type === 'call-started' ? [event.callId] : []));
    const [queued] = events.flatMap((event) => (event.type === 'queued' ? [event.callId] : []));
    const [sending] = events.flatMap((event) => (event.type === 'sending' ? [event.callId] : []));
    const [attempt] = events.flatMap((event) => (event.type === 'attempt-ended' ? [event.callId] : []));
    expect(queued).toBe(call);
    expect(sending).toBe(attempt);
    expect(sending).not.toBe(call);
  });

  test('entries() gives pages, oldest first, over all lanes or one', async () => {
    const { fetch, host, outbox } = page();
    host.connectivity.set(false);
    for (let n = 0; n < 7; n++)
      await fetch(URL_, {
        method: 'POST',
        body: `${n}`,
        holdfast: { outbox: { lane: n % 2 ? 'odd' : 'even', meta: { n } } },
      });
    const ids = async (query: object): Promise<unknown[]> =>
      (await outbox.entries(query)).map(({ meta }) => (meta as { n: number }).n);
    expect(await ids({})).toEqual([0, 1, 2, 3, 4, 5, 6]);
    expect(await ids({ lane: 'odd' })).toEqual([1, 3, 5]);
    const [, , third] = await outbox.entries({ limit: 3 });
    expect(await ids({ limit: 3, after: third?.key })).toEqual([3, 4, 5]);
    expect(await outbox.counts()).toEqual({ waiting: 7, deadLetters: 0, count: 7, bytes: 7 });
  });

  test('an impossible page option is a configuration error', async () => {
    const { outbox } = page();
    for (const [query, message] of [
      [{ state: 'failed' }, /entries\.state: 'failed' .* waiting, dead/],
      [{ stat: 'dead' }, /entries\.stat: .*unknown option/],
      [{ limit: 0 }, /entries\.limit: 0/],
    ] as const)
      await expect(outbox.entries(query as never)).rejects.toThrow(message);
  });

  test('an entry that the application removes is not sent, and its pending result rejects', async () => {
    const { fetch, host, outbox, origin, clock } = page();
    host.connectivity.set(false);
    const id = await idOf(await fetch(URL_, POST));
    const result = outbox.result(id);
    result.catch(() => {});
    await settle();
    expect(await outbox.remove(id)).toBe(true);
    await expect(result).rejects.toMatchObject({ name: 'UndeliveredError', code: 'outbox-removed', id });
    host.connectivity.set(true);
    await clock.advance(60_000);
    expect(origin.seen).toHaveLength(0);
    expect(await outbox.remove(id)).toBe(false);
  });

  test('close leaves no timer behind', async () => {
    const { fetch, origin, clock } = page();
    origin.replies(networkError());
    await fetch(URL_, POST);
    expect(clock.pending).toBeGreaterThan(0);
    await fetch.close();
    await clock.advance(0);
    expect(clock.pending).toBe(0);
    await expect(fetch(URL_)).rejects.toMatchObject({ code: 'closed' });
  });
});
