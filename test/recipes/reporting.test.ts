import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { createTransport, Scope } from '@sentry/core';
import { ServerRuntimeClient } from '@sentry/core/server';
import { createFetch, type HoldfastFetch, outbox } from 'holdfast';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { reporting } from '../../docs/recipes/reporting.ts';
import { type Shop, startShop } from './origin.ts';

interface Report {
  readonly message: string;
  readonly level: string;
  readonly fingerprint: string[];
  readonly tags: Record<string, string>;
  readonly extra: Record<string, unknown>;
  readonly breadcrumbs?: { readonly message: string }[];
}

let shop: Shop;
let collector: Server;
/** Envelopes as they come over the wire. */
let wire: string[];
let client: ServerRuntimeClient;
let fetch: HoldfastFetch;
let box: ReturnType<typeof outbox>;

beforeEach(async () => {
  wire = [];
  collector = createServer(async (request, response) => {
    wire.push(await text(request));
    response.end('{}');
  });
  await new Promise<void>((done) => collector.listen(0, '127.0.0.1', done));
  const { port } = collector.address() as AddressInfo;
  client = new ServerRuntimeClient({
    dsn: `http://key@127.0.0.1:${port}/1`,
    integrations: [],
    stackParser: () => [],
    transport: (options) =>
      createTransport(options, async ({ body }) => {
        const { status } = await globalThis.fetch(options.url, { method: 'POST', body: body as string });
        return { statusCode: status };
      }),
  });
  const scope = new Scope();
  scope.setClient(client);
  client.init();

  shop = await startShop();
  box = outbox();
  fetch = createFetch({
    partition: () => 'ann@example.com',
    outbox: box,
    retry: { delay: () => 0 },
    breaker: false,
    onEvent: reporting(scope),
  });
});
afterEach(async () => {
  vi.useRealTimers();
  await box.clear();
  await fetch.close();
  await client.close();
  await shop.close();
  await new Promise((done) => collector.close(done));
});

async function reports(): Promise<Report[]> {
  await client.flush();
  return wire.map((envelope) => JSON.parse(envelope.split('\n')[2] ?? ''));
}

test('an outage is one report with its story, however many calls it costs; and one a minute later', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  await shop.behave({ status: 503 });
  const init = { holdfast: { operation: 'list orders' } };
  for (let nth = 0; nth < 5; nth++) await (await fetch(`${shop.url}/orders`, init)).text();
  expect(await reports()).toMatchObject([
    {
      message: 'holdfast: call-ended 503',
      level: 'warning',
      fingerprint: ['holdfast', 'call-ended', '503', shop.url, 'list orders'],
      tags: { origin: shop.url, operation: 'list orders', code: '503' },
      breadcrumbs: [{ message: 'holdfast: retry' }, { message: 'holdfast: retry' }],
    },
  ]);
  vi.setSystemTime(Date.now() + 60_000);
  await (await fetch(`${shop.url}/orders`, init)).text();
  expect((await reports()).map(({ extra }) => extra.sinceTheLastReport)).toEqual([undefined, 4]);
});

test('what is expected is none', async () => {
  await (await fetch(`${shop.url}/orders`)).text();
  await (await fetch(`${shop.url}/orders/none`)).text();
  await fetch(`${shop.url}/orders`, { signal: AbortSignal.abort() }).catch(() => {});
  expect(await reports()).toEqual([]);
});

test('a write that will not be delivered is critical', async () => {
  const write = { method: 'POST', body: '{}', holdfast: { outbox: { id: 'order' } } };
  await (await fetch(`${shop.url}/orders`, write)).text();
  expect(await reports()).toMatchObject([
    { message: expect.stringMatching('dead-lettered'), level: 'error' },
  ]);
});

test('nothing secret goes over the wire', async () => {
  const headers = { authorization: 'Bearer swordfish', 'x-api-key': 'swordfish' };
  const url = `${shop.url}/reset/${'swordfish1'.repeat(3)}?token=swordfish#swordfish`;
  const outbox = { id: 'order-7', meta: { note: 'swordfish' } };
  await shop.behave({ status: 422, body: 'swordfish' }, 1);
  await (await fetch(url, { method: 'POST', body: 'swordfish', holdfast: { outbox } })).text();
  await shop.behave({ status: 500, body: 'swordfish' });
  await (await fetch(url, { headers })).text();
  await shop.vanish();
  await fetch(url, { headers, method: 'POST', body: '{"password": "swordfish"}' }).catch(() => {});
  const sent = await reports();
  expect(sent.map(({ message }) => message)).toEqual([
    'holdfast: dead-lettered http',
    'holdfast: call-ended 500',
    'holdfast: call-ended network',
  ]);
  // The story has the end of the write in it, with the `meta` of the application.
  expect(sent.at(-1)?.breadcrumbs?.map(({ message }) => message)).toContain('holdfast: finished http');
  expect(wire.join()).not.toMatch(/swordfish|ann@example/);
});
