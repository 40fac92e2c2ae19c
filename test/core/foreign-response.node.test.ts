/** A custom fetch whose responses are of a class of its own. */
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Readable } from 'node:stream';
import { Response as UndiciResponse, fetch as undiciFetch } from 'undici';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import {
  bulkhead,
  createClient,
  createFetch,
  fallback,
  memoryStore,
  sourceOf,
  staleCache,
} from '../../src/index.ts';
import { status, testHost } from '../../src/testing.ts';

const server = createServer((_, response) => {
  response.setHeader('cache-control', 'max-age=60').end('hello');
});
let url = '';
beforeAll(async () => {
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
});
afterAll(() => void server.close());

/** node-fetch has responses like this: no class of the platform, with a stream of Node. */
const nodeFetch = async (): Promise<unknown> => ({
  status: 200,
  ok: true,
  headers: new Headers({ 'cache-control': 'max-age=60' }),
  body: Readable.from([Buffer.from('hel'), Buffer.from('lo')]),
  text: async () => 'hello',
});

describe.each<[string, (request: Request) => Promise<unknown>]>([
  ['undici of npm', (request) => undiciFetch(request.url)],
  ['node-fetch', nodeFetch],
])('the responses of %s', (_, own) => {
  const fetch = own as never;

  test('have a body and a status', async () => {
    const response = await createFetch({ fetch, retry: 0 })(url);
    expect([response.status, response.url, await response.clone().text(), await response.text()]).toEqual([
      200,
      url,
      'hello',
      'hello',
    ]);
  });

  test('release their slots', async () => {
    const slots = bulkhead({ limit: 1 });
    const limited = createFetch({ fetch, retry: 0, bulkhead: slots });
    for (let call = 0; call < 3; call++) expect(await (await limited(url)).text()).toBe('hello');
    expect(slots.states()).toEqual({});
  });

  test('are stored', async () => {
    const cache = staleCache({ store: memoryStore(), mode: 'cache-first' });
    const caching = createFetch({ fetch, retry: 0, partition: 'ann', staleCache: cache });
    await (await caching(url)).text();
    await expect.poll(async () => (await cache.usage()).entries).toBe(1);
    const second = await caching(url);
    expect([sourceOf(second), await second.text()]).toEqual(['cache', 'hello']);
    await caching.close();
  });

  test('are read by the shortcuts of ky', async () => {
    expect(await createClient({ fetch, retry: 0 }).get(url).text()).toBe('hello');
  });
});

test.each([
  ['nothing', undefined],
  ['a text', 'hello'],
  ['an object without headers', { status: 200 }],
  ['an object with a `json` function only', { ok: true, status: 200, headers: new Headers(), json: () => 1 }],
  ['a body that cannot be read', { status: 200, headers: new Headers(), body: 'hello' }],
])('%s in place of a response is a ConfigurationError, and holds no slot', async (_, given) => {
  const slots = bulkhead({ limit: 1 });
  const fetch = createFetch({ fetch: (async () => given) as never, retry: 0, bulkhead: slots });
  await expect(fetch(url)).rejects.toThrow(/fetch: .*expected a promise of a Response/);
  expect(slots.states()).toEqual({});
});

test('a response that is locked already holds no slot', async () => {
  const slots = bulkhead({ limit: 1 });
  const locked = async () => {
    const response = new Response('hello');
    response.body?.getReader();
    return response;
  };
  await createFetch({ fetch: locked, retry: 0, bulkhead: slots })(url);
  expect(slots.states()).toEqual({});
});

describe('a response of another class that a function of the application gives', () => {
  const failing = async () => status(503);
  const foreign = () => new UndiciResponse('foreign', { status: 203 }) as never;

  test.each<[string, () => Promise<Response>]>([
    ['fallback', () => createFetch({ retry: 0, fallback: fallback(foreign), fetch: failing })(url)],
    [
      'fallback as a value',
      () => createFetch({ retry: 0, fallback: fallback(foreign()), fetch: failing })(url),
    ],
    [
      'beforeRetry',
      () => createFetch({ retry: { beforeRetry: foreign }, fetch: failing, host: testHost() })(url),
    ],
    [
      'beforeRetry of ky',
      () => createClient({ hooks: { beforeRetry: [foreign] }, fetch: failing }).get(url) as Promise<Response>,
    ],
  ])('%s ends the call with it', async (_, call) => {
    const response = await call();
    expect([response.status, await response.text()]).toEqual([203, 'foreign']);
  });
});
