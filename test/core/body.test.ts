import { describe, expect, test } from 'vitest';
import { type BodyWatcher, dropBody } from '../../src/core/body/body.ts';
import { watchBody } from '../../src/core/body/watched-response.ts';
import { bulkhead, memoryStore, staleCache } from '../../src/index.ts';
import { brokenBody, stalledBody } from '../../src/testing.ts';
import { bodyReaders } from '../support/body-readers.ts';
import { ORIGIN, scenario } from '../support/scenario.ts';

interface Record_ extends BodyWatcher {
  readonly log: string[];
}

function recorder(): Record_ {
  const log: string[] = [];
  return {
    log,
    waiting: () => void log.push('waiting'),
    arrived: () => void log.push('arrived'),
    chunk: (bytes) => void log.push(`chunk ${new TextDecoder().decode(bytes)}`),
    settled: (how) => void log.push(how),
  };
}

const inParts = (...parts: string[]): Response => {
  const chunks = parts.map((part) => new TextEncoder().encode(part));
  return new Response(
    new ReadableStream({
      pull(controller) {
        const chunk = chunks.shift();
        if (chunk) controller.enqueue(chunk);
        else controller.close();
      },
    }),
    { headers: { 'content-type': 'text/x' } },
  );
};

describe('a watched response', () => {
  test('is still the same object, and a Response for the platform', async () => {
    const response = inParts('a');
    watchBody(response, recorder());
    expect(response).toBeInstanceOf(Response);
    expect(Object.prototype.toString.call(response)).toBe('[object Response]');
    expect([response.status, response.ok, response.headers.get('content-type')]).toEqual([
      200,
      true,
      'text/x',
    ]);
    expect(await new Response(response.body, response).text()).toBe('a');
  });

  test.each(bodyReaders)('tells what is read through %s()', async (_, read, expected) => {
    const response = inParts('[1,', '2]');
    const watcher = recorder();
    watchBody(response, watcher);
    expect(response.bodyUsed).toBe(false);
    expect(await read(response)).toEqual(expected);
    expect(response.bodyUsed).toBe(true);
    expect(watcher.log).toEqual([
      'waiting',
      'arrived',
      'chunk [1,',
      'waiting',
      'arrived',
      'chunk 2]',
      'waiting',
      'arrived',
      'ended',
    ]);
  });

  test('reads nothing before a reader asks', async () => {
    const response = inParts('a', 'b');
    const watcher = recorder();
    watchBody(response, watcher);
    const { body } = response;
    await new Promise((done) => setTimeout(done, 0));
    expect(watcher.log).toEqual([]);
    const reader = (body as ReadableStream<Uint8Array>).getReader();
    await reader.read();
    expect(watcher.log.filter((line) => line.startsWith('chunk'))).toEqual(['chunk a']);
  });

  test('may have its body looked at before it is read', async () => {
    const response = inParts('a', 'b');
    watchBody(response, recorder());
    expect(response.body).toBe(response.body);
    expect(await response.text()).toBe('ab');
  });

  test('is read once, and not while its stream is locked', async () => {
    const response = inParts('a');
    watchBody(response, recorder());
    const reader = (response.body as ReadableStream).getReader();
    await expect(response.text()).rejects.toThrow(TypeError);
    expect(() => response.clone()).toThrow(TypeError);
    reader.releaseLock();
    expect(await response.text()).toBe('a');
    await expect(response.text()).rejects.toThrow(TypeError);
  });

  test('tells of a body that breaks off, and of one that is cancelled', async () => {
    const broken = brokenBody();
    const watcher = recorder();
    watchBody(broken, watcher);
    await expect(broken.text()).rejects.toThrow('terminated');
    expect(watcher.log.at(-1)).toBe('broken');
    const { response, cancelled } = stalledBody();
    const other = recorder();
    watchBody(response, other);
    await response.body?.cancel();
    expect([other.log, cancelled()]).toEqual([['cancelled'], true]);
  });

  test('has no body to wait for where there is none', () => {
    const watcher = recorder();
    expect(watchBody(new Response(null, { status: 204 }), watcher)).toBeUndefined();
    expect(watcher.log).toEqual(['none']);
  });

  test.each(['text', 'json', 'arrayBuffer', 'blob'] as const)(
    'that is broken before it is read fails with the reason in %s()',
    async (read) => {
      const response = inParts('a');
      const reason = new Error('mine');
      watchBody(response, recorder())?.break(reason);
      await expect(response[read]()).rejects.toBe(reason);
    },
  );

  test('can be broken from outside, for all its readers', async () => {
    const { response, cancelled } = stalledBody();
    const watcher = recorder();
    const body = watchBody(response, watcher);
    const clone = response.clone();
    const reads = Promise.allSettled([response.text(), clone.text()]);
    const reason = new Error('mine');
    body?.break(reason);
    expect((await reads).map((read) => (read as PromiseRejectedResult).reason)).toEqual([reason, reason]);
    expect(watcher.log.at(-1)).toBe('broken');
    await new Promise((done) => setTimeout(done, 0));
    expect(cancelled()).toBe(true);
  });

  test('takes watchers one after the other, and calls late ones at once', async () => {
    const response = inParts('a');
    const [first, second, late] = [recorder(), recorder(), recorder()];
    watchBody(response, first);
    watchBody(response, second);
    await response.text();
    watchBody(response, late);
    expect(second.log).toEqual(first.log);
    expect(late.log).toEqual(['ended']);
  });
});

describe('clones', () => {
  test('are read independently, and each byte is reported once', async () => {
    const response = inParts('a', 'b');
    const watcher = recorder();
    watchBody(response, watcher);
    const clones = [response.clone(), response.clone()];
    expect(
      await Promise.all([response, ...clones, clones[0]?.clone() as Response].map((each) => each.text())),
    ).toEqual(Array(4).fill('ab'));
    expect(watcher.log.filter((line) => line.startsWith('chunk'))).toEqual(['chunk a', 'chunk b']);
    expect(watcher.log.filter((line) => line === 'ended')).toHaveLength(1);
  });

  test('that are given up leave the others whole', async () => {
    const response = inParts('a', 'b');
    const watcher = recorder();
    watchBody(response, watcher);
    const clone = response.clone();
    dropBody(response);
    expect(watcher.log).toEqual([]);
    expect(await clone.text()).toBe('ab');
    expect(watcher.log.at(-1)).toBe('ended');
  });

  test('of a body that was looked at leave what was handed out usable', async () => {
    const response = inParts('a', 'b');
    watchBody(response, recorder());
    const { body } = response;
    const clone = response.clone();
    expect(await new Response(body).text()).toBe('ab');
    expect(await clone.text()).toBe('ab');
  });
});

test('clones that are cut into other chunks bring nothing twice', async () => {
  const native = Response.prototype.clone;
  // As Firefox does it.
  Response.prototype.clone = () => inParts('ab', 'cde', 'f');
  try {
    const response = inParts('abc', 'def');
    const watcher = recorder();
    watchBody(response, watcher);
    const readers = [response, response.clone()].map((each) => each.body?.getReader());
    for (const reader of [0, 1, 1, 0, 1, 1, 0]) await readers[reader]?.read();
    const chunks = watcher.log.filter((each) => each.startsWith('chunk')).map((each) => each.slice(6));
    expect(chunks.join('')).toBe('abcdef');
  } finally {
    Response.prototype.clone = native;
  }
});

describe('a wall clock that jumps while a response is handed on', () => {
  test.each([
    ['a day ahead', 86_400_000],
    ['a day back', -86_400_000],
  ])('%s: the slot is released, and the stored response is not taken for fresh', async (_, jump) => {
    const slots = bulkhead({ limit: 1 });
    const cache = staleCache({ store: memoryStore(), mode: 'cache-first' });
    const { fetch, clock, origin } = scenario([cache, slots], { partition: 'ann' });
    let end = (): void => {};
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode('or'));
        end = () => {
          controller.enqueue(new TextEncoder().encode('ders'));
          controller.close();
        };
      },
    });
    origin.replies(new Response(body, { headers: { 'cache-control': 'max-age=60' } }));
    const response = await fetch(ORIGIN);
    const text = response.text();
    clock.jump(jump);
    end();
    expect(await text).toBe('orders');
    for (let turn = 0; (await cache.usage()).entries === 0; turn++) expect(turn).toBeLessThan(1_000);
    expect(slots.states()).toEqual({});
    // How old it is, is not known.
    origin.otherwise(() => new Response('network'));
    expect(await (await fetch(ORIGIN)).text()).toBe('network');
    await fetch.close();
  });
});
