/** Responses that were read and then filled with the same bytes again. */
import { describe, expect, test } from 'vitest';
import { refilled } from '../../src/core/body/refilled.ts';
import { ownBody, watchBody } from '../../src/core/body/watched-response.ts';
import { bulkhead, createClient, dedupe, memoryStore, sourceOf, staleCache } from '../../src/index.ts';
import { bodyReaders } from '../support/body-readers.ts';
import { quiet } from '../support/platform.ts';
import { scenario } from '../support/scenario.ts';

const utf8 = new TextEncoder();

async function whole(text = '[1,2]'): Promise<Response> {
  const response = new Response(text, { headers: { 'content-type': 'text/x' }, status: 201 });
  watchBody(response, {});
  return refilled(response, new Uint8Array(await response.arrayBuffer()));
}

function recorder() {
  const log: string[] = [];
  const watcher = {
    chunk: (bytes: Uint8Array) => void log.push(new TextDecoder().decode(bytes)),
    settled: (how: string) => void log.push(how),
  };
  return { log, watcher };
}

describe('a refilled response', () => {
  test.each<(typeof bodyReaders)[number]>([
    ...bodyReaders,
    ['body', async (response) => (await response.body?.getReader().read())?.value, utf8.encode('[1,2]')],
    ['a response of its body', (response) => new Response(response.body).text(), '[1,2]'],
  ])('is read once through %s', async (_, read, expected) => {
    const response = await whole();
    expect([response.bodyUsed, response.status, response.ok]).toEqual([false, 201, true]);
    expect(await read(response)).toEqual(expected);
    expect(response.bodyUsed).toBe(true);
    await expect(response.text()).rejects.toThrow(TypeError);
    expect(() => response.clone()).toThrow(TypeError);
  });

  test('may be empty', async () => {
    expect(await (await whole('')).text()).toBe('');
    expect(await new Response((await whole('')).body).text()).toBe('');
  });

  test('is used once its body is cancelled', async () => {
    const response = await whole();
    await response.body?.cancel();
    expect(response.bodyUsed).toBe(true);
  });

  test('shows its bytes to later watchers', async () => {
    const response = await whole();
    const { log, watcher } = recorder();
    watchBody(response, watcher);
    expect(log).toEqual([]);
    await response.text();
    expect(log).toEqual(['[1,2]', 'ended']);
  });

  test('has clones that the platform can read; each byte is reported once', async () => {
    const response = await whole();
    const { log, watcher } = recorder();
    watchBody(response, watcher);
    const copy = response.clone();
    const another = copy.clone();
    expect([copy.status, copy.headers.get('content-type')]).toEqual([201, 'text/x']);
    expect(await Response.prototype.text.call(another)).toBe('[1,2]');
    const bytes = await response.bytes();
    bytes.fill(0);
    expect(await copy.text()).toBe('[1,2]');
    expect(log).toEqual(['[1,2]', 'ended']);
  });

  test('settles for its owner however it is read', async () => {
    const { log, watcher } = recorder();
    const owned = ownBody(await whole(), watcher);
    expect(await Response.prototype.text.call(owned)).toBe('[1,2]');
    expect(log).toEqual(['[1,2]', 'ended']);
  });
});

const URL_ = 'https://api.example.com/';

describe('the shortcuts of a client', () => {
  test('leave no timer for a response without a body', async () => {
    const { clock } = scenario([]);
    await using api = createClient({
      fetch: async () => new Response(null, { status: 204 }),
      host: { clock },
      timeout: 5_000,
    });
    await api.get(URL_).text();
    expect(clock.pending).toBe(0);
  });

  test.each([{}, { bulkhead: bulkhead({ limit: 2 }) }])(
    'leave a response that the platform can read to a caller that joined: %j',
    async (policies) => {
      const response = Promise.withResolvers<Response>();
      const controller = new AbortController();
      await using api = createClient({
        // Where calls share no I/O, each has a response of its own.
        fetch: async () => (await response.promise).clone(),
        partition: 'public',
        dedupe: dedupe(),
        ...policies,
      });
      const first = api.get(URL_, { signal: controller.signal }).json();
      first.catch(() => {});
      await quiet();
      const second = api.get(URL_, { headers: { accept: 'application/json' } });
      await quiet();
      controller.abort();
      await quiet();
      response.resolve(new Response('{"n":1}'));
      expect(await Response.prototype.text.call(await second)).toBe('{"n":1}');
    },
  );

  test('do not refill a response that holds a slot: the platform would read nothing', async () => {
    await using api = createClient({
      fetch: async () => new Response('x'),
      bulkhead: bulkhead({ limit: 2 }),
    });
    const promise = api.get(URL_);
    expect(await promise.text()).toBe('x');
    // Its own body is read already.
    await expect(Response.prototype.text.call(await promise)).rejects.toThrow(TypeError);
  });

  test('leave the response to its hooks and policies', async () => {
    const slots = bulkhead({ limit: 1 });
    const copies: string[] = [];
    await using api = createClient({
      fetch: async () => new Response('{"n":1}', { headers: { 'cache-control': 'max-age=60' } }),
      partition: 'public',
      bulkhead: slots,
      staleCache: staleCache({ store: memoryStore(), mode: 'cache-first' }),
      hooks: {
        afterResponse: [
          async ({ response }) => void copies.push(await Response.prototype.text.call(response)),
        ],
      },
    });
    for (const source of ['network', 'cache']) {
      const promise = api.get(URL_);
      expect(await promise.json()).toEqual({ n: 1 });
      expect(sourceOf(await promise)).toBe(source);
      await quiet();
      expect(slots.states()).toEqual({});
    }
    expect(copies).toEqual(['{"n":1}', '{"n":1}']);
  });
});
